"""What a set-up costs: megabytes downloaded and on disk, and minutes, from an empty cache.

    uv run python -m tests.bench.set_up --torch cuda
    uv run python -m tests.bench.set_up --torch cpu [--wheels TORCH.whl TORCHVISION.whl]

Runs `make env` in a handout. Where PyTorch's index can't be reached, --wheels names builds for CPUs that are on this
machine, of whatever version. Writes tests/bench/results/set-up.json.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
import tomllib
from contextlib import ExitStack
from email.parser import HeaderParser
from pathlib import Path

import torch
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from grader.__main__ import main as grader
from tests.bench.results import load, machine, write
from tests.support.package_index import served
from tests.support.pins import find_uv

NAME = "set-up.json"
OF_CUDA = re.compile(r"nvidia|cuda|triton")


def stand_in(folder: Path, wheels: list[Path]) -> list[str]:
    """An index with wheels that are on this machine; returns them as pins."""
    pins = []
    for wheel in wheels:
        name, version = parse_wheel_filename(wheel.name)[:2]
        (folder / name).mkdir(parents=True)
        link = f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>'
        (folder / name / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
        (folder / name / wheel.name).symlink_to(wheel.resolve())
        pins.append(f"{name}=={version.public}")
    return pins


def downloaded(project: Path) -> dict[str, int]:
    """Package → bytes of the wheel that was installed here, as the lock file has them."""
    order = {tag: number for number, tag in enumerate(sys_tags())}
    installed = {}
    for about in project.glob(".venv/lib/python*/site-packages/*.dist-info/METADATA"):
        header = HeaderParser().parsestr(about.read_text(errors="replace"))
        installed[header["Name"].lower().replace("_", "-").replace(".", "-")] = header["Version"]
    sizes = {}
    for package in tomllib.loads((project / "uv.lock").read_text())["package"]:
        if installed.get(package["name"]) == package["version"]:
            wheels = [(file, w.get("size", 0)) for w in package.get("wheels", []) for file in [w["url"].split("/")[-1]]]
            fitting = [(min(order[tag] for tag in tags), size) for file, size in wheels
                       if (tags := parse_wheel_filename(file.replace("%2B", "+"))[3] & set(order))]  # fmt: skip
            sizes[package["name"]] = min(fitting)[1] if fitting else 0
    return sizes


def on_disk(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def measure(build: str, wheels: list[Path]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        project, index = Path(name) / "handout", Path(name) / "index"
        assert grader(["handout", str(project)]) == 0
        handout = on_disk(project)
        environment = os.environ | {"UV_CACHE_DIR": f"{name}/cache", "UV_LINK_MODE": "copy"}
        environment.pop("VIRTUAL_ENV", None)
        if wheels:
            text = (project / "pyproject.toml").read_text()
            for pin in stand_in(index, wheels):
                text = re.sub(rf'"{pin.split("==")[0]}==[^"]*"', f'"{pin}"', text)
            (project / "pyproject.toml").write_text(text)
            environment["TORCH_CPU_INDEX"] = stack.enter_context(served(index))
        started = time.perf_counter()
        subprocess.run(["make", "env", f"UV={find_uv()}", f"TORCH={build}"], cwd=project, env=environment, check=True)
        seconds = time.perf_counter() - started
        packages = downloaded(project) | {parse_wheel_filename(w.name)[0]: w.stat().st_size for w in wheels}
        code = "import torch; print(torch.__version__)"
        asked = subprocess.run([project / ".venv/bin/python", "-c", code], capture_output=True, text=True, check=True)
        return {
            "torch": asked.stdout.strip(), "packages": len(packages), "seconds": round(seconds, 1),
            "megabytes_downloaded": round(sum(packages.values()) / 1e6),
            "megabytes_of_cuda": round(sum(size for name, size in packages.items() if OF_CUDA.match(name)) / 1e6),
            "megabytes_on_disk": round(on_disk(project / ".venv") / 1e6),
            "megabytes_of_handout": round(handout / 1e6, 1),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.set_up", description=__doc__.splitlines()[0])
    parser.add_argument("--torch", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--wheels", nargs=2, type=Path, metavar=("TORCH.whl", "TORCHVISION.whl"), default=[])
    args = parser.parse_args()
    ways = (load(NAME) or {"ways": {}})["ways"]
    found = measure(args.torch, args.wheels)
    ways[args.torch] = found | {"from_this_machine": bool(args.wheels), "machine": machine(torch.device("cpu"))}
    print(write(NAME, torch.device("cpu"), {"ways": ways}), found)


if __name__ == "__main__":
    main()
