"""Set up the environment, with the build of torch that fits this machine: what `make env` runs.

From PyPI, torch for Linux comes with gigabytes of CUDA libraries. Where there is no NVIDIA GPU, its build for CPUs is
taken, if PyTorch's own index can be reached. The choice is a copy of this index's two pages in .torch/, which
pyproject.toml names as the first index. So whatever uv does later stays with it, and needs no network for that.

Only the standard library, and nothing of this project: no package is installed yet.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PACKAGES = ("torch", "torchvision")
PATIENCE = 10  # seconds for the index to answer
CHOICES = ("auto", "cpu", "cuda")
# of its driver: loaded, in a container, in Windows beneath WSL2
SIGNS_OF_NVIDIA = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/nvidia-smi")
INTERRUPTED = 130


def why_not_cpu() -> str:
    """Why torch is taken as PyPI has it; empty where its build for CPUs fits."""
    if sys.platform != "linux":
        return "it is small on this system"
    if any(Path(sign).exists() for sign in SIGNS_OF_NVIDIA) or shutil.which("nvidia-smi"):
        return "there is an NVIDIA GPU"
    if shutil.which("sbatch"):  # a login node has no GPU, but jobs run elsewhere
        return "there is Slurm, whose nodes may have GPUs"
    return ""


def save_index(index: str, place: Path) -> None:
    """Copy an index's pages of torch into a folder, with complete links.

    Raises:
        OSError, HTTPException: they can't be had
    """
    pages = {}
    for name in PACKAGES:
        url = f"{index.rstrip('/')}/{name}/"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            page = answer.read().decode("utf-8", "replace")
        if not re.search(rf"{name}-[^\"<]*\.whl", page):  # a login page of the network, for example
            raise OSError(f"{url} lists no wheels of {name}")
        pages[name] = with_complete_links(page, url)
    new = place.with_name(f"{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for name, page in pages.items():
        (new / name).mkdir(parents=True)
        (new / name / "index.html").write_text(page)
    shutil.rmtree(place, ignore_errors=True)
    new.replace(place)


def with_complete_links(page: str, url: str) -> str:
    return re.sub(r'(?<=href=")[^"]*', lambda link: urljoin(url, link[0]), page)


def install(uv: str, *, cpu: bool) -> int:
    """Install everything; a lock file that was made for the other build is made anew. Returns uv's exit code."""
    lock = ROOT / "uv.lock"
    if not cpu:
        shutil.rmtree(ROOT / ".torch", ignore_errors=True)
    if lock.exists() and ('registry = ".torch"' in lock.read_text()) != cpu:
        lock.unlink()
    # where Python keeps no bytecode of its own, as in many containers, each import of torch would take seconds more
    compiled = ["--compile-bytecode"] if os.environ.get("PYTHONDONTWRITEBYTECODE") else []
    return subprocess.run([uv, "sync", *compiled], cwd=ROOT).returncode


def choose(wanted: str) -> str:
    """As `why_not_cpu`, but as asked for, and with the index at hand where its builds are taken.

    Raises:
        ValueError: there is no such choice, or it can't be had
    """
    if wanted not in CHOICES:
        raise ValueError(f"TORCH={wanted}: expected one of {', '.join(CHOICES)}")
    why_not = {"auto": why_not_cpu(), "cpu": "", "cuda": "as asked"}[wanted]
    place = ROOT / ".torch"
    if not why_not:
        try:
            save_index(os.environ.get("TORCH_CPU_INDEX", CPU_INDEX), place)
        except (OSError, HTTPException) as error:
            if wanted == "cpu":
                raise ValueError(f"TORCH=cpu: the index of its builds for CPUs can't be reached: {error}") from error
            if not place.exists():  # else it was chosen earlier, and the copy still serves
                return "the index of its builds for CPUs can't be reached"
    return why_not


def run(uv: str, wanted: str) -> int:
    """Returns an exit code: 0 set up, 2 the call is wrong, else uv's own."""
    try:
        why_not = choose(wanted)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    begun = not (ROOT / ".venv").exists()
    print(f"torch: {f'as PyPI has it; {why_not}' if why_not else 'its build for CPUs'}", flush=True)
    code = install(uv, cpu=not why_not)
    if not why_not and code > 0 and code != INTERRUPTED:
        print("torch: as PyPI has it; its build for CPUs could not be installed", flush=True)
        code = install(uv, cpu=False) or (2 if wanted == "cpu" else 0)
    if code > 0 and begun:  # so that the next `make env` chooses again
        shutil.rmtree(ROOT / ".venv", ignore_errors=True)
    return code


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "auto"))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
