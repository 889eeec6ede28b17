"""Which names a source has, in which scope, and all that is assigned to each. Nothing is run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

PACKAGE = "assignment"  # to which both files of a submission belong

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Binding:
    """What is assigned to a name: an expression, a function or class, or the path of an import; None if not known."""

    value: ast.AST | str | None
    line: int = 0
    sure: bool = False  # a statement of the module itself, which no branch leaves out
    parameter: bool = False  # of a function, whatever it is called with


@dataclass(eq=False)
class Scope:
    """Of a module, a class, a function or a comprehension."""

    parent: "Scope | None" = None
    kind: str = "function"
    bound: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)  # names declared Global or Nonlocal


class Scopes:
    """The scopes of a source."""

    def __init__(self, tree: ast.Module) -> None:
        self.module = Scope(kind="module")
        self.of: dict[ast.AST, Scope] = {}  # of each node that an import of the file can run
        self.all: list[Scope] = [self.module]
        self.attributes: dict[str, list[Binding]] = {}  # of any object: self.x = …, and names in the body of a class
        self.stars: list[str] = []  # modules of which all names are imported
        self.deleted: set[str] = set()
        self.first_use: dict[str, int] = {}  # the line
        self._read(tree)

    def bindings(self, name: str, scope: Scope) -> tuple[Scope | None, list[Binding]]:
        """The scope to which a name belongs, seen from another, and what is assigned to it there; None, [] if none."""
        here: Scope | None = self._home(scope, name)
        while here:
            if name in here.bound and (here.kind != "class" or here is scope):
                return here, here.bound[name]
            here = here.parent
        return None, []

    def parameters(self, function: Function) -> dict[str, list[Binding]]:
        """What the parameters of a function stand for; its scope has its other names, too."""
        body = function.body if isinstance(function, ast.Lambda) else function.body[0]
        return self.of[body].bound if body in self.of else {}

    # ---- reading

    def _read(self, tree: ast.Module) -> None:
        never_run = set() if assigns_own_name(tree) else {part for node in tree.body for part in if_main(node)}
        waiting: list[tuple[ast.AST, Scope]] = [(node, self.module) for node in reversed(tree.body)]
        top: set[ast.AST] = set(tree.body)
        while waiting:
            node, scope = waiting.pop()
            if node not in never_run:
                self.of[node] = scope
                self._bind(node, scope, sure=node in top)
                waiting += reversed(list(self._parts(node, scope)))

    def _parts(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        """What is directly below a node, each part with its scope."""
        inner, inside = scope, set[ast.AST]()
        if isinstance(node, FUNCTIONS):
            inner = Scope(scope)
            inside = {node.body} if isinstance(node, ast.Lambda) else set(node.body)
            self._bind_parameters(node.args, inner)
        elif isinstance(node, ast.ClassDef):
            inner, inside = Scope(scope, "class"), set(node.body)
        elif isinstance(node, COMPREHENSIONS):
            inner, inside = Scope(scope, "comprehension"), set(ast.iter_child_nodes(node))
        if inner is not scope:
            self.all.append(inner)
        yield from ((part, inner if part in inside else scope) for part in ast.iter_child_nodes(node))

    def _bind(self, node: ast.AST, scope: Scope, *, sure: bool) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, path in imported(node):
                self._to(scope, name, Binding(path, node.lineno, sure))
            self.stars += [path.removesuffix(".*") for name, path in imported(node) if name == "*"]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._to(scope, node.name, Binding(node, node.lineno, sure))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value, scope, sure=sure)
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            self._assign(node.target, None if isinstance(node, ast.AugAssign) else node.value, scope, sure=sure)
        elif isinstance(node, ast.NamedExpr):
            while scope.kind == "comprehension" and scope.parent:
                scope = scope.parent
            self._assign(node.target, node.value, scope)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            literal = isinstance(node.iter, (ast.Tuple, ast.List, ast.Set))
            for part in node.iter.elts if literal else [None]:  # type: ignore[attr-defined]
                self._assign(node.target, part, scope)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            self._assign(node.optional_vars, node.context_expr, scope)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            self._to(scope, node.name, Binding(None))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            scope.elsewhere |= dict.fromkeys(node.names, type(node).__name__)
        elif isinstance(node, ast.Name):
            self._note_use(node)

    def _note_use(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Del):
            self.deleted.add(node.id)
        elif isinstance(node.ctx, ast.Load):
            self.first_use[node.id] = min(node.lineno, self.first_use.get(node.id, node.lineno))

    def _bind_parameters(self, arguments: ast.arguments, scope: Scope) -> None:
        plain = [*arguments.posonlyargs, *arguments.args]
        defaults = dict(zip([p.arg for p in reversed(plain)], reversed(arguments.defaults), strict=False))
        defaults |= {p.arg: d for p, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
        for each in (*plain, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if each is not None:
                given = [Binding(defaults[each.arg])] if each.arg in defaults else []
                scope.bound[each.arg] = [Binding(None, parameter=True), *given]

    def _assign(self, target: ast.AST, value: ast.AST | None, scope: Scope, *, sure: bool = False) -> None:
        if isinstance(target, ast.Name):
            self._to(scope, target.id, Binding(value, target.lineno, sure))
        elif isinstance(target, ast.Attribute):
            self.attributes.setdefault(target.attr, []).append(Binding(value))
        elif isinstance(target, ast.Starred):
            self._assign(target.value, None, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            starred = any(isinstance(each, ast.Starred) for each in (*target.elts, *parts))
            for i, each in enumerate(target.elts):
                if starred:  # any of them
                    for part in (*parts, None):
                        self._assign(each, part, scope)
                else:
                    self._assign(each, parts[i] if i < len(parts) else None, scope)

    def _to(self, scope: Scope, name: str, binding: Binding) -> None:
        if scope.kind == "class":
            self.attributes.setdefault(name, []).append(binding)
        self._home(scope, name).bound.setdefault(name, []).append(binding)

    def _home(self, scope: Scope, name: str) -> Scope:
        """The scope that `global` or `nonlocal` gives a name, else the same."""
        where = scope.elsewhere.get(name)
        if where == "Global":
            return self.module
        outer = scope.parent if where else None
        while outer and outer.parent and name not in outer.bound:
            outer = outer.parent
        return outer or scope


def imported(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """Each name that an import makes, and what it stands for."""
    if isinstance(node, ast.ImportFrom):
        module = imported_from(node)
        return [(alias.asname or alias.name, f"{module}.{alias.name}") for alias in node.names]
    whole = [(alias, alias.name.split(".")[0]) for alias in node.names]
    return [(alias.asname or first, alias.name if alias.asname else first) for alias, first in whole]


def imported_from(node: ast.ImportFrom) -> str:
    """The module of a `from … import`, in full."""
    inside = PACKAGE if node.level else ""
    return ".".join(part for part in (inside, node.module) if part)


def if_main(node: ast.stmt) -> list[ast.stmt]:
    """The body of `if __name__ == "__main__":`, which is never run, as a submission is only ever imported."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1):
        return []
    sides = {ast.dump(node.test.left), ast.dump(node.test.comparators[0])}
    wanted = {ast.dump(ast.parse(text, mode="eval").body) for text in ("__name__", "'__main__'")}
    return node.body if isinstance(node.test.ops[0], ast.Eq) and sides == wanted else []


def assigns_own_name(tree: ast.Module) -> bool:
    """Whether a file could take itself for the program: it does more with __name__ than reading it."""
    return any(
        (isinstance(node, ast.Name) and node.id == "__name__" and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, (ast.Global, ast.Nonlocal)) and "__name__" in node.names)
        or (isinstance(node, ast.alias) and "__name__" in (node.name, node.asname))
        or (isinstance(node, ast.alias) and node.name == "*")
        for node in ast.walk(tree)
    )
