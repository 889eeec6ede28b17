"""What somebody may do to a copied file so that it looks like another: its meaning stays."""

import ast
import builtins
import random
import re
from collections.abc import Callable

INTERFACE = {"DiffusionModel", "DDPMSampler", "forward", "p_sample", "sample"}  # the grader asks for them
PADDING = ("{0} = {1}", "{0} = [{1}, {1}]", "{0} = {1} + {1}", "{0} = max({1}, 2)", "{0} = str({1})")


def rename(source: str, seed: int = 0) -> str:
    """Every name that the file gives itself gets another, `self` too."""
    tree = ast.parse(source)
    own, attributes = _own(tree), _attributes(tree)
    names = sorted(own | attributes)
    random.Random(seed).shuffle(names)
    new = {name: f"v{k}_{name[::-1][:3]}" for k, name in enumerate(names)} | {"self": "this"}
    own.add("self")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in own:
            node.id = new[node.id]
        elif isinstance(node, ast.arg) and node.arg in own:
            node.arg = new[node.arg]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in own | attributes:
            node.name = new[node.name]
        elif isinstance(node, ast.Attribute) and node.attr in attributes and isinstance(node.value, ast.Name):
            node.attr = new[node.attr] if node.value.id in ("self", "this") else node.attr
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:  # of its own functions
                named = isinstance(node.func, ast.Name) and node.func.id in own
                keyword.arg = new.get(keyword.arg, keyword.arg) if named and keyword.arg else keyword.arg
    return ast.unparse(tree)


def _own(tree: ast.Module) -> set[str]:
    """Variables, parameters, functions and classes, but not what is imported."""
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    own |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return _free(own)


def _attributes(tree: ast.Module) -> set[str]:
    """What is assigned to `self`, and methods."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            found |= {node.attr} if node.value.id == "self" else set()
        elif isinstance(node, ast.ClassDef):
            found |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    return _free(found)


def _free(names: set[str]) -> set[str]:
    return {name for name in names - INTERFACE - set(dir(builtins)) if not name.startswith("__")}


def reorder(source: str, seed: int = 0) -> str:
    """Functions and classes, methods, and imports in another order."""
    tree, chance = ast.parse(source), random.Random(seed)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            places = [k for k, each in enumerate(node.body) if isinstance(each, ast.FunctionDef | ast.ClassDef)]
            moved = [node.body[k] for k in places]
            chance.shuffle(moved)
            for k, each in zip(places, moved, strict=True):
                node.body[k] = each
    return ast.unparse(tree)


def reformat(source: str, seed: int = 0) -> str:
    """Other quotes, brackets, indentation and line breaks; no comment and no docstring is left, others are added."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    lines = []
    for k, line in enumerate(ast.unparse(tree).splitlines()):
        bare = line.lstrip()
        indented = "\t" * ((len(line) - len(bare)) // 4) + bare
        lines.append(f"{indented}  # step {k}" if "'" not in line else indented)
    return "\r\n".join(line.replace(", ", " ,\\\r\n  ") if "#" not in line else line for line in lines) + "\r\n"


def pad(source: str, seed: int = 0, share: float = 0.5) -> str:
    """Statements that do nothing, after so many of those in functions."""
    tree, chance = ast.parse(source), random.Random(seed)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            padded = []
            for each in node.body:
                if chance.random() < share:
                    text = chance.choice(PADDING).format(f"extra_{chance.randrange(1000)}", chance.randrange(100))
                    padded += ast.parse(text).body
                padded.append(each)
            node.body = padded
    return ast.unparse(tree)


def otherwise_imported(source: str, seed: int = 0) -> str:
    """Layers without `nn.`, and annotations wherever they may stand."""
    layers = sorted(set(re.findall(r"\bnn\.([A-Z]\w+)", source)) - {"Module"})
    for layer in layers:
        source = re.sub(rf"\bnn\.{layer}\b", layer, source)
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = ast.Name("Tensor")
            for argument in node.args.args[1:]:
                argument.annotation = ast.Name("Tensor")
    imports = f"from torch import Tensor\nfrom torch.nn import {', '.join(layers)}\n" if layers else ""
    return "from __future__ import annotations\n" + imports + ast.unparse(ast.fix_missing_locations(tree))


class _Swapped(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult):
            node.left, node.right = node.right, node.left
        return node


def swap(source: str, seed: int = 0) -> str:
    """b + a for a + b, and b * a for a * b, everywhere."""
    return ast.unparse(_Swapped().visit(ast.parse(source)))


def everything(source: str, seed: int = 0) -> str:
    return reformat(pad(reorder(rename(source, seed), seed), seed), seed)


DISGUISES: dict[str, Callable[[str], str]] = {
    "renamed": rename, "reordered": reorder, "reformatted": reformat,
    "imported otherwise and annotated": otherwise_imported, "padded": pad,
    "padded after every statement": lambda source: pad(source, share=1.0),
    "renamed, reordered, reformatted and padded": everything, "operands swapped": swap,
}  # fmt: skip
