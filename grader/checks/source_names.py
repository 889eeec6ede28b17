"""What the expressions of a source stand for: the dotted path of what each came from, as far as the source tells.

So that a name can't hide what it is: `e = exec`, `from torch import load as l`, `getattr(torch, "lo" + "ad")`,
`(torch,)[0].load`. Nothing is run. An expression can stand for several things, as branches and the order of assignments
are not looked at.
"""

import ast
import builtins
import functools
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from grader.checks.source_scopes import FUNCTIONS, PACKAGE, Binding, Function, Scope, Scopes
from grader.checks.source_text import Texts

# modules that others hold as attributes: torch.nn.functional.torch is torch
ROOTS = ("torch", "sys", "os", "builtins", "importlib", "inspect", "gc", "ctypes", "pickle", "subprocess", "numpy")
GETTERS = (
    "builtins.getattr", "inspect.getattr_static", "builtins.object.__getattribute__", "builtins.type.__getattribute__",
)  # fmt: skip
IMPORTERS = ("builtins.__import__", "importlib.import_module", "importlib.__import__")
LOOKUPS = ("get", "pop", "setdefault", "__getitem__")  # a dict's
BUILTINS = frozenset(dir(builtins))
GLOBALS, CONTENT, GETTER = "<globals>", ".__dict__", "<getter>"
MOST, DEEPEST, PASSES = 64, 12, 200  # paths that one thing may stand for, their parts, and rounds to find them all

Variable = tuple[object, str]  # a scope or a function, and a name in it; None for an attribute of any object


class Names:
    """What the expressions of a source stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self.scopes = Scopes(tree)
        self.texts = Texts(self.scopes)
        self.known: dict[Variable, set[str]] = {}
        for node in self.scopes.of:
            if isinstance(node, ast.Call):
                self._pass_arguments(node)
        self._settle()

    def means(self, node: ast.AST | None) -> set[str]:
        """The paths that an expression may stand for; empty if nothing is known of it."""
        reader = self.READERS.get(type(node))
        return reader(self, node) if reader and node in self.scopes.of else set()

    def attribute_of(self, owner: ast.AST, name: str) -> set[str]:
        """What an attribute of an expression may stand for."""
        if owners := self.means(owner):
            return {canonical(f"{path}.{name}") for path in owners}
        return self.known.get((None, name), set())

    def is_sure(self, node: ast.AST | str | None, seen: frozenset[ast.AST] = frozenset()) -> bool:
        """Whether an expression stands for nothing else: plain names and attributes lead to imports or builtins."""
        if node is None or isinstance(node, str) or node in seen:
            return node is not None
        if isinstance(node, ast.Call) and node.args:  # getattr(torch, "Tensor")
            return self.is_sure(node.args[0], seen | {node})
        if isinstance(node, (ast.Attribute, ast.NamedExpr)):
            return self.is_sure(node.value, seen | {node})
        if not isinstance(node, ast.Name) or node not in self.scopes.of:
            return False
        bound = self.scopes.bindings(node.id, self.scopes.of[node])[1]
        return all(self.is_sure(each.value, seen | {node}) for each in bound) if bound else node.id in BUILTINS

    # ---- finding out

    def _settle(self) -> None:
        """Go over all assignments until there is nothing new."""
        variables: list[tuple[Variable, list[Binding]]] = [
            ((scope, name), bound) for scope in self.scopes.all for name, bound in scope.bound.items()
        ]
        variables += [((None, name), bound) for name, bound in self.scopes.attributes.items()]
        variables += [
            ((node, "return"), [Binding(part) for part in returned(node)])
            for node in self.scopes.of if isinstance(node, FUNCTIONS)
        ]  # fmt: skip
        for _ in range(PASSES):
            before = sum(map(len, self.known.values()))
            for variable, bound in variables:
                found = self.known.setdefault(variable, set())
                new = {path for each in bound for path in self._bound_to(each) if path.count(".") < DEEPEST} - found
                found.update(sorted(new)[: MOST - len(found)])
            if sum(map(len, self.known.values())) == before:
                return

    def _bound_to(self, binding: Binding) -> set[str]:
        return {canonical(binding.value)} if isinstance(binding.value, str) else self.means(binding.value)

    def _pass_arguments(self, call: ast.Call) -> None:
        """What a function of this file is called with, its parameters may stand for."""
        for function in self._functions(call.func):
            names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            if isinstance(call.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
                del names[0]
            bound = self.scopes.parameters(function)
            given = [*zip(names, call.args, strict=False), *((each.arg, each.value) for each in call.keywords)]
            for name, value in given:
                if name in bound and value in self.scopes.of:
                    bound[name].append(Binding(value))

    def _values(self, node: ast.AST) -> list[ast.AST]:
        """An expression, and whatever the names and attributes that it leads to were given."""
        found, waiting = list[ast.AST](), [node]
        while waiting:
            here = waiting.pop()
            if here in found or len(found) > MOST:
                continue
            found.append(here)
            bound: list[Binding] = []
            if isinstance(here, ast.Name) and here in self.scopes.of:
                bound = self.scopes.bindings(here.id, self.scopes.of[here])[1]
            elif isinstance(here, ast.Attribute):
                bound = self.scopes.attributes.get(here.attr, [])
            waiting += [each.value for each in bound if isinstance(each.value, ast.AST)]
        return found

    def _functions(self, node: ast.AST) -> list[Function]:
        return [value for value in self._values(node) if isinstance(value, FUNCTIONS) and value in self.scopes.of]

    # ---- kinds of expressions

    def _name(self, node: ast.Name) -> set[str]:
        scope, bound = self.scopes.bindings(node.id, self.scopes.of[node])
        found = set(self.known.get((scope, node.id), ()))
        if node.id == "__builtins__":
            return {"builtins"}
        if not bound:
            found |= {f"{module}.{node.id}" for module in self.scopes.stars}
        if node.id in BUILTINS and not self._shadows(node.id, scope, bound):
            found.add(f"builtins.{node.id}")
        return found

    def _shadows(self, name: str, scope: Scope | None, bound: list[Binding]) -> bool:
        """Whether a name is surely not the builtin: assigned in a function, or in the module before its first use."""
        if scope is None or scope.kind == "class":
            return False
        if scope is not self.scopes.module:
            return True
        first = bound[0].sure and bound[0].line < self.scopes.first_use.get(name, bound[0].line + 1)
        return first and name not in self.scopes.deleted

    def _subscript(self, node: ast.Subscript) -> set[str]:
        keys = self.texts.of(node.slice)
        found = {each for path in self.means(node.value) for key in keys for each in self.in_namespace(path, key)}
        for holder in self._values(node.value):
            parts = holder.values if isinstance(holder, ast.Dict) else getattr(holder, "elts", [])
            found |= {path for part in parts for path in self.means(part)}
        return found

    def in_namespace(self, path: str, key: str | None) -> set[str]:
        """What a namespace has under a key: vars(torch), torch.__dict__, globals(), __builtins__, sys.modules."""
        if key is None:
            return set()
        if path == GLOBALS:
            builtin = {"builtins"} if key == "__builtins__" else {f"builtins.{key}"} if key in BUILTINS else set()
            return builtin | self.known.get((self.scopes.module, key), set())
        if path.endswith(CONTENT):
            return {canonical(f"{path.removesuffix(CONTENT)}.{key}")}
        return {f"builtins.{key}"} if path == "builtins" else {canonical(key)} if path == "sys.modules" else set()

    def _call(self, node: ast.Call) -> set[str]:
        found = {path for each in self._functions(node.func) for path in self.known.get((each, "return"), ())}
        for called in self.means(node.func):
            found |= self._called(called, node)
        return found

    def _called(self, called: str, node: ast.Call) -> set[str]:
        """What a call of something known returns."""
        if not node.args:
            return {GLOBALS} if called in ("builtins.globals", "builtins.vars", "builtins.locals") else set()
        first, last = node.args[0], called.rpartition(".")[2]
        if called in GETTERS and len(node.args) > 1:
            return self._along(first, self.texts.of(node.args[1])).union(*map(self.means, node.args[2:]))
        if called == "builtins.vars":
            return {f"{path}{CONTENT}" for path in self.means(first)}
        if called in IMPORTERS:
            return {path for name in self.texts.of(first) if name for path in module_of(called, name)}
        if called == "functools.partial":
            return self.means(first)
        if called == "operator.attrgetter":
            return {f"{GETTER}{name}" for name in self.texts.of(first) if name}
        if called.startswith(GETTER):
            return self._along(first, [called.removeprefix(GETTER)])
        owner = called.rpartition(".")[0]
        if last in ("__getattribute__", "__getattr__"):
            return {canonical(f"{owner}.{name}") for name in self.texts.of(first) if name}
        if last in LOOKUPS:
            return {each for key in self.texts.of(first) for each in self.in_namespace(owner, key)}
        return set()

    def _along(self, owner: ast.AST, names: Iterable[str | None]) -> set[str]:
        """Attributes of an expression, or attributes of these."""
        found = set()
        for first, *others in (name.split(".") for name in names if name):
            found |= {canonical(".".join([path, *others])) for path in self.attribute_of(owner, first)}
        return found

    def _any_of(self, *parts: ast.AST) -> set[str]:
        return {path for part in parts for path in self.means(part)}

    READERS: ClassVar[dict[type, Callable[["Names", Any], set[str]]]] = {
        ast.Name: _name, ast.Subscript: _subscript, ast.Call: _call,
        ast.Attribute: lambda self, node: self.attribute_of(node.value, node.attr),
        ast.NamedExpr: lambda self, node: self._any_of(node.value),
        ast.IfExp: lambda self, node: self._any_of(node.body, node.orelse),
        ast.BoolOp: lambda self, node: self._any_of(*node.values),
        ast.Starred: lambda self, node: self._any_of(node.value),
        ast.Await: lambda self, node: self._any_of(node.value),
    }  # fmt: skip


@functools.cache
def canonical(path: str) -> str:
    """A module that another module holds is that module."""
    parts = path.split(".")
    last = max((i for i, part in enumerate(parts) if part in ROOTS), default=0)
    return ".".join(parts[last:])


def module_of(called: str, name: str) -> set[str]:
    """What importing by a call returns: __import__ gives the package, unless it is told otherwise."""
    full = f"{PACKAGE}{name}" if name.startswith(".") else name
    return {full} if called == "importlib.import_module" else {full, full.split(".")[0]}


def returned(function: Function) -> list[ast.AST]:
    """The expressions that a function returns or yields."""
    if isinstance(function, ast.Lambda):
        return [function.body]
    kinds = (ast.Return, ast.Yield, ast.YieldFrom)
    return [node.value for node in ast.walk(function) if isinstance(node, kinds) and node.value]
