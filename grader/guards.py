"""Own work: what a submission may not import, read or replace. A block in the worker, a scan of its source here."""

import ast
import sys
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

READY_MADE = ("diffusers", "timm", "transformers", "huggingface_hub")
FORBIDDEN = (*READY_MADE, "torchvision.models", "safetensors", "reference", "grader", "tests")
WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".onnx")
READERS = (
    "torch.load", "torch.hub", "torch.jit.load", "safetensors.torch.load_file", "numpy.load", "np.load",
    "pickle.load", "pickle.loads", "joblib.load",
    "urllib.request.urlopen", "urllib.request.urlretrieve", "requests.get",
)  # fmt: skip


# who reaches for these wants to get at the grader, not at an image
INSPECTORS = (
    "sys._getframe", "sys._current_frames", "sys.setprofile", "sys.settrace", "inspect.currentframe", "inspect.stack",
    "gc.get_objects", "gc.get_referrers", "ctypes", "exec", "eval", "compile",
)  # fmt: skip
MACHINERY = ("sys.meta_path", "sys.path_hooks", "sys.modules")
PATCHABLE = ("torch", "builtins")  # modules of which nothing is to be replaced; torch.backends holds settings


def is_forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


class _Block(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if is_forbidden(name):
            raise ImportError(f"import {name}: not allowed here, the network and the sampler are to be your own work")


def _audit(event: str, arguments: tuple) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[0].lower().endswith(WEIGHTS):
        raise PermissionError(f"{arguments[0]}: not allowed here, no weights may be read from a file")
    if event == "socket.connect":
        raise PermissionError("not allowed here: no network")


def allow_only_own_work() -> None:
    """In the worker, before the submission is imported; can't be taken back. Stops accidents and simple cheats only."""
    for name in [n for n in sys.modules if is_forbidden(n)]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Block())
    sys.addaudithook(_audit)


def scan(source: str | bytes) -> list[tuple[int, str]]:
    """In the judge: (line, what) of each forbidden import, reader of weights, or attempt at torch and the grader.

    Bytes are decoded as Python itself would. Raises SyntaxError or ValueError where it is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # \e in a docstring is the student's affair
            tree = ast.parse(source.encode() if isinstance(source, str) else source)
        names = dict(_aliases(tree))
        return sorted({(node.lineno, what) for node in ast.walk(tree) for what in _offences(node, names)})
    except (RecursionError, MemoryError) as error:
        raise SyntaxError("nested too deeply") from error


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What the file's own names stand for: `from torch import load as l` gives l → torch.load."""
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
    """Whether a dotted name belongs to a module that is to stay as it is."""
    return name.startswith(tuple(f"{module}." for module in PATCHABLE)) and not name.startswith("torch.backends.")


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""
