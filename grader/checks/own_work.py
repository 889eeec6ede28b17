"""Own work: what a source may not import, read or replace. The import block in the worker is the other half."""

import ast
import warnings
from collections.abc import Iterator

from grader.checks.finding import CheckFailed
from grader.worker.import_block import is_forbidden

READERS = (
    "torch.load", "torch.hub", "torch.jit.load", "safetensors.torch.load_file", "numpy.load", "np.load",
    "pickle.load", "pickle.loads", "joblib.load",
    "urllib.request.urlopen", "urllib.request.urlretrieve", "requests.get",
)  # fmt: skip
# code that uses these is after the grader, not after images
INSPECTORS = (
    "sys._getframe", "sys._current_frames", "sys.setprofile", "sys.settrace", "inspect.currentframe", "inspect.stack",
    "gc.get_objects", "gc.get_referrers", "ctypes", "exec", "eval", "compile",
)  # fmt: skip
MACHINERY = ("sys.meta_path", "sys.path_hooks", "sys.modules")
PATCHABLE = ("torch", "builtins")  # modules in which nothing may be replaced, except for settings in torch.backends


def check_own_work(offences: list[tuple[int, str]], file: str) -> None:
    """Nothing in the source imports a ready network or reads weights."""
    if offences:
        line, what = offences[0]
        raise CheckFailed(
            f"{file}:{line}: {what}",
            "The exercise is to write it yourself with torch.nn: no diffusers, timm, transformers, torchvision.models "
            "or reference, no weights from files or the net, and nothing of torch replaced.",
            offences=[f"{file}:{line}: {what}" for line, what in offences],
        )


def scan(source: str | bytes) -> list[tuple[int, str]]:
    """In the judge: (line, what) of each forbidden import, reader of weights, or attack on torch or the grader.

    Bytes are decoded as Python itself would. Raises SyntaxError or ValueError if the source is not valid Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a \e in a docstring is not our concern
            tree = ast.parse(source.encode() if isinstance(source, str) else source)
        names = dict(_aliases(tree))
        nodes = (node for node in ast.walk(tree) if isinstance(node, (ast.stmt, ast.expr)))  # which have a line
        return sorted({(node.lineno, what) for node in nodes for what in _offences(node, names)})
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("nested too deeply") from error


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What the names in the file stand for: `from torch import load as l` gives l → torch.load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)


def _offences(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {alias.name}" for alias in node.names if is_forbidden(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module:
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        if is_forbidden(node.module) or any(map(is_forbidden, full)):
            yield f"from {node.module} import {', '.join(alias.name for alias in node.names)}"
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
        targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [node.target]
        for part in (part for target in targets for part in ast.walk(target) if isinstance(part, ast.Attribute)):
            if isinstance(part.ctx, (ast.Store, ast.Del)) and _is_patchable(changed := _dotted(part, names)):
                yield f"{changed} = …"
    elif isinstance(node, ast.Attribute) and _dotted(node, names) in MACHINERY:
        yield _dotted(node, names)
    elif isinstance(node, ast.Call):
        called = _dotted(node.func, names)
        if any(called == name or called.startswith(f"{name}.") for name in INSPECTORS):
            yield f"{called}(…)"
        if called in ("setattr", "delattr") and node.args and _is_patchable(_dotted(node.args[0], names) + "."):
            yield f"{called}({_dotted(node.args[0], names)}, …)"
        if any(called == reader or called.startswith(f"{reader}.") for reader in READERS):
            yield f"{called}(…)"
        if called.split(".")[-1] in ("import_module", "__import__", "find_spec"):
            for argument in node.args[:1]:
                if not isinstance(argument, ast.Constant):
                    yield f"{called}(…) of a computed name"
                elif isinstance(argument.value, str) and is_forbidden(argument.value):
                    yield f"{called}({argument.value!r})"


def _is_patchable(name: str) -> bool:
    """Whether a dotted name belongs to a module that must not be changed."""
    return name.startswith(tuple(f"{module}." for module in PATCHABLE)) and not name.startswith("torch.backends.")


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""
