"""Is a model.py still the program that weights were trained with? Layout and comments make no difference.

Both sources are parsed here: syntax trees differ between versions of Python, so they can't be kept as a hash.
"""

import ast
import codecs
import hashlib
import warnings
from collections.abc import Mapping

LONGEST = 60  # characters of a statement in a message
Body = list[ast.stmt]


def hash_of(source: bytes) -> str:
    """SHA-256 of a program, the same for all its layouts under one version of Python; of the text, if it's none."""
    tree = _parse(source)
    return hashlib.sha256(source if tree is None else _dump(tree).encode("utf-8", "surrogatepass")).hexdigest()


def change(about: Mapping[str, str], now: bytes) -> str:
    """What differs from the model.py that weights were trained with, in one line; empty if it is the same program.

    Args:
        about: the facts stored with the weights: `code`, the SHA-256 of their model.py, and `source`, its text
    """
    if about.get("code") in {hashlib.sha256(text).hexdigest() for text in _line_ends(now)}:
        return ""
    if "source" not in about:
        return "model.py has changed since; how is not known, as these weights hold only the hash of theirs"
    trained, tree = _parse(about["source"].encode("utf-8", "surrogatepass")), _parse(now)
    if trained is None or tree is None:
        return f"{'their model.py' if trained is None else 'model.py'} is no Python that can be read"
    return _difference(trained.body, tree.body, "") if _dump(trained) != _dump(tree) else ""


def _line_ends(source: bytes) -> list[bytes]:
    """The same text as Unix and as Windows write it."""
    unix = source.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    windows = unix.replace(b"\n", b"\r\n")
    return [source, unix, windows, codecs.BOM_UTF8 + unix, codecs.BOM_UTF8 + windows]


def _parse(source: bytes) -> ast.Module | None:
    """The tree without what no network computes with: docstrings, and what only runs as a script."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a \e in a docstring is not our concern
            tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[:1]
                if first and isinstance(first[0], ast.Expr) and isinstance(first[0].value, ast.Constant):
                    del node.body[0]
        tree.body = [node for node in tree.body if not _is_script(node)]
        _dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # as a stranger may have written it
        return None
    return tree


def _is_script(node: ast.stmt) -> bool:
    """if __name__ == "__main__":"""
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) == "__name__ == '__main__'"


def _dump(node: ast.AST) -> str:
    return ast.dump(node)  # without positions, hence without layout and comments


def _difference(before: Body, now: Body, inside: str) -> str:
    """Where the first difference is: within a class or a function that both have, as deep as possible."""
    old, new = [_dump(node) for node in before], [_dump(node) for node in now]
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    removed, added = before[start : len(before) - end], now[start : len(now) - end]
    if removed and added and (name := _same_definition(removed[0], added[0])):
        return _difference(_body(removed[0]), _body(added[0]), f"{inside}.{name}" if inside else name)
    where = f"model.py{f', {inside}' if inside else ''}"
    if not added:
        return f"{where}: {_shown(removed[0])} is gone"
    where += f", line {added[0].lineno}"
    if not removed:
        return f"{where}: {_shown(added[0])} is new"
    pairs = zip(ast.unparse(added[0]), ast.unparse(removed[0]), strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
    return f"{where}: {_shown(added[0], at)} was {_shown(removed[0], at)}"


def _same_definition(one: ast.stmt, other: ast.stmt) -> str:
    """The name of a class or function, if both define it alike but for what is in it."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if not isinstance(one, kinds) or not isinstance(other, kinds) or _head(one) != _head(other):
        return ""
    return one.name


def _head(node: ast.stmt) -> tuple[str, ...]:
    return (type(node).__name__, *(_plain(value) for name, value in ast.iter_fields(node) if name != "body"))


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "".join(map(_plain, value))
    return _dump(value) if isinstance(value, ast.AST) else repr(value)


def _body(node: ast.stmt) -> Body:
    assert isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)), "which _same_definition has seen"
    return node.body


def _shown(node: ast.stmt, at: int = 0) -> str:
    """A statement as code, in a line; of a long one the part around a character."""
    line = " ".join(ast.unparse(node).split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    start = max(0, min(at - LONGEST // 2, len(shown) - LONGEST))
    part = shown[start : start + LONGEST]
    return f"`{'…' if start else ''}{part}{'…' if len(shown) > start + LONGEST else ''}`"
