"""The strings that an expression of a source may be, as far as it is plain: "lo" + "ad", "daol"[::-1], "".join(…)."""

import ast
import operator
from collections.abc import Callable
from typing import Any

from grader.checks.source_scopes import Scopes

MOST, LONGEST, STEPS = 64, 10_000, 20_000  # values of an expression, their length, and expressions looked at in all
METHODS = (  # of text
    "join", "lower", "upper", "strip", "replace", "removeprefix", "removesuffix", "format", "decode", "encode", "title",
    "capitalize", "swapcase", "casefold", "fromhex",
)  # fmt: skip
CALLS: dict[str, Callable[..., Any]] = {
    "chr": chr, "str": str, "bytes": bytes, "list": list, "tuple": list, "reversed": lambda row: list(reversed(row)),
}  # fmt: skip
TYPES = {"str": str, "bytes": bytes, "bytearray": bytearray}


class Unknown(Exception):
    """A value that the source does not tell."""


class Texts:
    """Works out expressions of a source, without running it."""

    def __init__(self, scopes: Scopes) -> None:
        self.scopes, self.steps, self.busy = scopes, 0, set[ast.AST]()

    def of(self, node: ast.AST) -> set[str | None]:
        """The strings that an expression may be; None among them if it may be something that is not known."""
        try:
            return {value if isinstance(value, str) else None for value in self._fold(node)}
        except Exception:  # Unknown, or whatever the text's own methods raise
            return {None}

    def _fold(self, node: ast.AST) -> list[Any]:
        self.steps += 1
        if self.steps > STEPS or node in self.busy:
            raise Unknown
        self.busy.add(node)
        try:
            values = self._fold_new(node)
        finally:
            self.busy.discard(node)
        if len(values) > MOST or any(len(v) > LONGEST for v in values if isinstance(v, (str, bytes, list))):
            raise Unknown
        return values

    def _fold_new(self, node: ast.AST) -> list[Any]:
        if isinstance(node, ast.Constant):
            return [node.value]
        if isinstance(node, ast.Name):
            return self._fold_name(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            return [list(values) for values in self._product(node.elts)]
        if isinstance(node, ast.JoinedStr):
            return ["".join(map(str, values)) for values in self._product(node.values)]
        if isinstance(node, ast.FormattedValue) and node.format_spec is None:
            return self._fold(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return [-value for value in self._fold(node.operand)]
        if isinstance(node, ast.IfExp):
            return [*self._fold(node.body), *self._fold(node.orelse)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            how = operator.add if isinstance(node.op, ast.Add) else operator.mod
            return [how(*values) for values in self._product([node.left, node.right])]
        if isinstance(node, ast.Subscript):
            return [value[place] for value, place in self._product([node.value, node.slice])]
        if isinstance(node, ast.Slice):
            ends = [part or ast.Constant(None) for part in (node.lower, node.upper, node.step)]
            return [slice(*values) for values in self._product(ends)]
        if isinstance(node, ast.Call) and not node.keywords:
            return self._fold_call(node)
        raise Unknown

    def _fold_name(self, node: ast.Name) -> list[Any]:
        if node.id in TYPES:
            return [TYPES[node.id]]
        scope = self.scopes.of.get(node, self.scopes.module)
        bound = self.scopes.bindings(node.id, scope)[1]
        values = [each.value for each in bound if not each.parameter]  # of a parameter: what this file calls it with
        if not values:
            raise Unknown
        return [v for value in values for v in (self._fold(value) if isinstance(value, ast.expr) else [None])]

    def _fold_call(self, node: ast.Call) -> list[Any]:
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            rows = self._product([node.func.value, *node.args])
            return [getattr(row[0], node.func.attr)(*row[1:]) for row in rows]
        if isinstance(node.func, ast.Name) and node.func.id in CALLS:
            return [CALLS[node.func.id](*values) for values in self._product(node.args)]
        if isinstance(node.func, ast.Name) and node.func.id == "map" and ast.dump(node.args[0]) == CHR:
            return [[chr(code) for code in values] for values in self._fold(node.args[1])]
        raise Unknown

    def _product(self, nodes: list[Any]) -> list[list[Any]]:
        """Each way to choose a value for each of the expressions."""
        rows: list[list[Any]] = [[]]
        for node in nodes:
            rows = [[*row, value] for row in rows for value in self._fold(node)]
            if len(rows) > MOST:
                raise Unknown
        return rows


CHR = ast.dump(ast.parse("chr", mode="eval").body)
