"""What a submission may not import or read while it runs; grader/checks/own_work.py scans its source beforehand.

In the submission's own process, this stops accidents and simple cheats only. What holds is that the sandbox shows none
of these files: see `ready_made`, and grader/submission/sandbox.py.
"""

import importlib.util
import os
import socket
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path

READY_MADE = (
    "diffusers", "timm", "transformers", "huggingface_hub", "torchvision.models", "denoising_diffusion_pytorch",
    "segmentation_models_pytorch", "k_diffusion", "monai",
)  # fmt: skip
DATA_SETS = ("sklearn.datasets", "skimage.data", "torchvision.datasets", "scipy.datasets")  # with test images in them
FORBIDDEN = (*READY_MADE, *DATA_SETS, "safetensors", "reference", "grader", "tests")
WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".onnx")

INTERNET = (socket.AF_INET, socket.AF_INET6)


def is_forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


def ready_made() -> list[Path]:
    """The folders of installed packages that a submission may not use."""
    found: list[Path] = []
    for name in READY_MADE:
        package, *inside = name.split(".")
        spec = importlib.util.find_spec(package)
        folders = [Path(folder, *inside) for folder in spec.submodule_search_locations or ()] if spec else []
        found += [folder for folder in folders if folder.is_dir()]
    return found


def _refusal(name: str) -> ImportError:
    return ImportError(f"import {name}: not allowed here, the network and the sampler are to be your own work")


class _Block(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if is_forbidden(name):
            raise _refusal(name)


def _watch(folders: list[Path]) -> Callable[[str, tuple[object, ...]], None]:
    """A hook for Python's audit events, which also meets who takes the block away, or loads a file by hand."""
    real_path, forbidden, refusal = os.path.realpath, is_forbidden, _refusal
    below = tuple(f"{real_path(folder)}/" for folder in folders)

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.fsdecode(arguments[0])
            if path.lower().endswith(WEIGHTS):
                raise PermissionError(f"{path}: not allowed here, no weights may be read from a file")
            if real_path(path).startswith(below):
                raise PermissionError(f"{path}: not allowed here, it belongs to a ready-made network")
        elif event == "import" and isinstance(arguments[0], str) and forbidden(arguments[0]):
            raise refusal(arguments[0])
        elif event == "socket.connect" or (event == "socket.__new__" and arguments[1] in INTERNET):
            raise PermissionError("not allowed here: no network")

    return audit


def allow_only_own_work() -> None:
    """Called in the worker before the submission is imported; irreversible."""
    folders = ready_made()
    for name in [n for n in sys.modules if is_forbidden(n)]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Block())
    sys.addaudithook(_watch(folders))
