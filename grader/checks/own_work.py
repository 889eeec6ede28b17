"""Own work: what a source may not import, read, replace or look into.

Anybody determined can write what no scan sees. So nothing relies on it: what the import block refuses and the sandbox
does not show is what holds. The scan says it in plain words, and shows an instructor where to look.
"""

import ast
import warnings
from collections.abc import Iterator, Mapping

from grader.checks import refused_names as refused
from grader.checks.finding import CheckFailed
from grader.checks.refused_names import is_patchable, is_refused
from grader.checks.source_names import CONTENT, GETTERS, IMPORTERS, Names
from grader.checks.source_scopes import PACKAGE, imported, imported_from
from grader.worker.import_block import is_forbidden


def check_own_work(offences: list[tuple[str, int, str]]) -> None:
    """Nothing in the source imports a ready network or reads weights."""
    if offences:
        file, line, what = offences[0]
        raise CheckFailed(
            f"{file}:{line}: {what}",
            "The exercise is to write it yourself with torch.nn: no diffusers, timm, transformers, torchvision.models "
            "or reference, no weights from files or the net, nothing of torch replaced, and each name written out.",
            offences=[f"{file}:{line}: {what}" for file, line, what in offences],
        )


def scan_with_imports(sources: Mapping[str, bytes], file: str) -> list[tuple[str, int, str]]:
    """(file, line, what) for a file of a submission, and for the other one if the first imports it.

    Raises SyntaxError or ValueError if the first is not valid Python; the other then can't be imported.
    """
    found = [(file, *each) for each in scan(sources[file])]
    for other in sources:
        if other != file and f"{PACKAGE}.{other.removesuffix('.py')}" in modules_of_the_package(sources[file]):
            try:
                found += [(other, *each) for each in scan(sources[other])]
            except (SyntaxError, ValueError):
                continue
    return found


def scan(source: str | bytes) -> list[tuple[int, str]]:
    """In the judge: (line, what) of each forbidden import, reader of weights, or attack on torch or the grader.

    What is below `if __name__ == "__main__":` is left out. Bytes are decoded as Python itself would.
    Raises SyntaxError or ValueError if the source is not valid Python.
    """
    try:
        names = Names(_parse(source))
        return sorted(set(_Scan(names).offences()))
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("nested too deeply") from error


def modules_of_the_package(source: bytes) -> set[str]:
    """The modules of the package `assignment` that a source may import. Raises as `scan` does."""
    try:
        names = Names(_parse(source))
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("nested too deeply") from error
    found = set[str]()
    for node in names.scopes.of:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {imported_from(node), *(path for _, path in imported(node))}
        elif isinstance(node, (ast.Call, ast.Attribute)):
            found |= names.means(node)
    return {path for path in found if path.startswith(f"{PACKAGE}.")}


def _parse(source: str | bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a \e in a docstring is not our concern
        return ast.parse(source.encode() if isinstance(source, str) else source)


class _Scan:
    """The offences in a source of which the names are known."""

    def __init__(self, names: Names) -> None:
        self.names = names
        nodes = names.scopes.of
        self.called = {node.func for node in nodes if isinstance(node, ast.Call)}
        self.owners = {node.value for node in nodes if isinstance(node, ast.Attribute)}

    def offences(self) -> Iterator[tuple[int, str]]:
        for node in self.names.scopes.of:
            if isinstance(node, (ast.stmt, ast.expr)):
                yield from ((node.lineno, what) for what in self._of(node))

    def _of(self, node: ast.stmt | ast.expr) -> Iterator[str]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from self._import(node)
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            yield from self._patch(node)
        else:
            yield from self._reference(node)
        if isinstance(node, ast.Call):
            yield from self._call(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if is_forbidden(alias.name))
        elif any(is_refused(path) for path in (imported_from(node), *(path for _, path in imported(node)))):
            yield f"from {imported_from(node)} import {', '.join(alias.name for alias in node.names)}"

    def _reference(self, node: ast.expr | ast.stmt) -> Iterator[str]:
        """The whole of a dotted name that leads to something refused; its parts are not told besides."""
        if isinstance(node, ast.Name) and node.id in refused.OWN_LOADER:
            yield node.id
        if isinstance(node, ast.Attribute) and node.attr in refused.HIDDEN:
            yield f"….{node.attr}"
        if isinstance(node, ast.Subscript):
            owners = {path.removesuffix(CONTENT) for path in self.names.means(node.value) if path.endswith(CONTENT)}
            yield from self._computed(owners, node.slice, "{}.__dict__[…] of a computed name")
        if node in self.owners and isinstance(node, (ast.Name, ast.Attribute)):
            return
        brackets = "(…)" if node in self.called else ""
        yield from (f"{_shown(path)}{brackets}" for path in self.names.means(node) if is_refused(path))

    def _patch(self, node: ast.Name | ast.Attribute | ast.Subscript) -> Iterator[str]:
        if isinstance(node, ast.Attribute):
            yield from self._changes(node.value, node.attr)
        elif isinstance(node, ast.Subscript):
            for path in self.names.means(node.value):
                if path.endswith(CONTENT) and is_patchable(path):
                    yield f"{path}[…] = …"

    def _changes(self, owner: ast.expr, name: str) -> Iterator[str]:
        """Assigned to an attribute. A name may be a class in one place and its object in another: then it is free."""
        for path in self.names.means(owner):
            if is_patchable(f"{path}.{name}") and (path in refused.MODULES or self.names.is_sure(owner)):
                yield f"{_shown(path)}.{name} = …"

    def _call(self, node: ast.Call) -> Iterator[str]:
        means = self.names.means
        named = {path for argument in node.args[:1] for path in means(argument)}
        for called in means(node.func):
            owner, _, last = called.rpartition(".")
            if last in refused.SETTERS and node.args:
                whole = owner if owner and is_patchable(f"{owner}.") and len(node.args) < 3 else ""
                for path in {whole} if whole else named:
                    if is_patchable(f"{path}."):
                        yield f"{last}({_shown(path)}, …)"
            elif last in refused.PATCHING and owner.endswith(CONTENT) and is_patchable(owner):
                yield f"{called}(…)"
            elif called in (*IMPORTERS, *refused.FINDERS):
                yield from self._imports(called, node)
            elif called in GETTERS and len(node.args) > 1:
                yield from self._computed(named, node.args[1], "getattr({}, …) of a computed name")
                yield from (f"….{key}" for key in self.names.texts.of(node.args[1]) if key in refused.HIDDEN)
        if any("builtins.getattr" in means(argument) for argument in node.args):
            handed = {path for a in node.args for part in (a, *getattr(a, "elts", ())) for path in means(part)}
            yield from (f"getattr handed on with {_shown(path)}" for path in handed if path in refused.IN_FULL)

    def _imports(self, called: str, node: ast.Call) -> Iterator[str]:
        last = called.rpartition(".")[2]
        for name in self.names.texts.of(node.args[0]) if node.args else {None}:
            if name is None:
                yield f"{last}(…) of a computed name"
            elif is_refused(name):
                yield f"{last}({name!r})"

    def _computed(self, owners: set[str], name: ast.expr, what: str) -> Iterator[str]:
        if None in self.names.texts.of(name):
            yield from (what.format(_shown(path)) for path in owners if path in refused.IN_FULL)


def _shown(path: str) -> str:
    return path.removeprefix("builtins.")
