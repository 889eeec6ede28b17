"""What a machine without a network lacks besides PyTorch: wheels, a sandbox, data; in one folder per transfer."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from assignment.ddpm.errors import UserError
from tests.gpu.mosaics import restore, shrink

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "data"
PYTHON = "3.12"  # of that machine, which has PyTorch, torchvision and their like
WHEELS = (
    "diffusers", "omegaconf", "torch-fidelity", "submitit", "cloudpickle", "pytest", "pytest-timeout", "safetensors",
    "tqdm", "importlib-metadata", "zipp", "iniconfig", "pluggy",
)  # fmt: skip
PLATFORMS = [word for tag in ("2_28", "2_17") for word in ("--platform", f"manylinux_{tag}_x86_64")]
MOST = 60_000_000  # bytes in a folder


def pack(folder: Path) -> list[Path]:
    """Make a folder for each call: the wheels and Fashion-MNIST, then CIFAR-10 in two halves.

    Raises:
        UserError: something is not available, or a folder grows too large
    """
    if folder.exists():
        raise UserError(f"{folder}: is there already; expected a new folder")
    first, *halves = (folder / name for name in ("fashion_mnist", "cifar10-1", "cifar10-2"))
    _wheels(first / "wheels")
    _copy(_official("FashionMNIST/raw", 4, "*.gz"), first / "data")
    if bwrap := shutil.which("bwrap"):
        shutil.copy(bwrap, first)
    batches = _official("cifar-10-batches-py", 6, "*_batch*")
    for half, names in zip(halves, (batches[:3], batches[3:]), strict=True):
        half.mkdir()
        for batch in names:
            print(f"{batch.name}: compressing", flush=True)
            shrink(batch, half)
    _copy([batches[0].with_name("batches.meta")], halves[1])
    for made in (first, *halves):
        if size_of(made) > MOST:
            raise UserError(f"{made}: {size_of(made):,} bytes, expected at most {MOST:,}")
    return [first, *halves]


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def unpack(folder: Path) -> None:
    """Install what was packed, and put the data where the configurations look for it."""
    wheels = sorted(map(str, (folder / "wheels").glob("*.whl")))
    install = ["pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--upgrade", *wheels]
    if wheels and subprocess.run([sys.executable, "-m", *install]).returncode:
        raise UserError(f"{folder}: the wheels could not be installed into {sys.prefix}")
    _copy(sorted((folder / "data").glob("*.gz")), DATA / "FashionMNIST" / "raw")
    for mosaic in sorted(folder.glob("*.webp")):
        (DATA / "cifar-10-batches-py").mkdir(parents=True, exist_ok=True)
        restore(mosaic, DATA / "cifar-10-batches-py")
    _copy(sorted(folder.glob("batches.meta")), DATA / "cifar-10-batches-py")
    if (folder / "bwrap").exists() and shutil.which("bwrap") is None:
        shutil.copy(folder / "bwrap", Path(sys.prefix) / "bin")
        (Path(sys.prefix) / "bin" / "bwrap").chmod(0o755)


def _wheels(target: Path) -> None:
    pins = dict(text.split("==") for text in _constraints() if ";" not in text)
    wanted = [f"{name}=={pins[name]}" if name in pins else name for name in WHEELS]
    download = [
        "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", PYTHON,
        "--implementation", "cp", *PLATFORMS, "--dest", str(target), *wanted,
    ]  # fmt: skip
    if subprocess.run([_python_with_pip(), "-m", *download], stdout=subprocess.DEVNULL).returncode:
        raise UserError(f"the wheels could not be downloaded: {' '.join(wanted)}")


def _official(where: str, count: int, pattern: str) -> list[Path]:
    files = sorted((DATA / where).glob(pattern))
    if len(files) != count:
        raise UserError(f"{DATA / where}: expected {count} official files, which main.py downloads, got {len(files)}")
    return files


def _copy(files: list[Path], folder: Path) -> None:
    for file in files:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)


def _constraints() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]


def _python_with_pip() -> str:
    """uv's environments have no pip; the Python they are made from has one."""
    return sys.executable if shutil.which("pip", path=str(Path(sys.prefix) / "bin")) else sys._base_executable
