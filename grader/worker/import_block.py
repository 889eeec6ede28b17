"""What a submission may not import or read while it runs; grader/checks/own_work.py scans its source beforehand."""

import sys
from importlib.abc import MetaPathFinder

READY_MADE = ("diffusers", "timm", "transformers", "huggingface_hub")
FORBIDDEN = (*READY_MADE, "torchvision.models", "safetensors", "reference", "grader", "tests")
WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".onnx")


def is_forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


class _Block(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if is_forbidden(name):
            raise ImportError(f"import {name}: not allowed here, the network and the sampler are to be your own work")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[0].lower().endswith(WEIGHTS):
        raise PermissionError(f"{arguments[0]}: not allowed here, no weights may be read from a file")
    if event == "socket.connect":
        raise PermissionError("not allowed here: no network")


def allow_only_own_work() -> None:
    """Called in the worker before the submission is imported; irreversible. Stops accidents and simple cheats only."""
    for name in [n for n in sys.modules if is_forbidden(n)]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Block())
    sys.addaudithook(_audit)
