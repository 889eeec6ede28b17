"""The pins in pyproject.toml: each package that the project needs, direct or not, in the version it was tested with.

    uv run python -m tests.support.pins [PACKAGE …]

Resolves for Linux and macOS and every Python from 3.11 on, and writes the versions into pyproject.toml, and those that
students need into requirements.txt as well. What is pinned stays, but for each PACKAGE named (or `all`), which is taken
in its newest version. What only the project's own tests need stands between the lines `instructors` and `/instructors`,
which the handout leaves out.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement

from assignment.ddpm.errors import UserError, run_command
from assignment.ddpm.files import replacing
from grader.bundles.packing import for_students

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"
REQUIREMENTS = PYPROJECT.with_name("requirements.txt")
PINS = re.compile(r"(?<=^constraint-dependencies = \[\n).*?(?=^\])", re.MULTILINE | re.DOTALL)
WITH_TORCH = re.compile(r"nvidia-|cuda-|triton")  # a build of torch names their versions itself
PLATFORMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
)
HEADING = """\
# What the assignment needs, for pip, conda and Docker; `make` alone uses uv and pyproject.toml instead.
#
#     pip install -r requirements.txt
#     make demo PYTHON=python
#
# Without an NVIDIA GPU, this saves gigabytes: --extra-index-url https://download.pytorch.org/whl/cpu
"""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def read_pins(text: str) -> list[Requirement]:
    """Those of a pyproject.toml."""
    return [Requirement(pin) for pin in tomllib.loads(text)["tool"]["uv"]["constraint-dependencies"]]


def as_pin(requirement: Requirement) -> str:
    """As it stands in pyproject.toml, with a marker where it differs between platforms and Pythons of ours.

    Empty where it is for none of them, or torch's own to choose.
    """
    wanted = [
        requirement.marker is None
        or requirement.marker.evaluate({**platform, "python_version": python, "python_full_version": f"{python}.0"})
        for platform, python in product(PLATFORMS, PYTHONS)
    ]
    if not any(wanted) or WITH_TORCH.match(requirement.name):
        return ""
    marker = "" if all(wanted) else f"; {requirement.marker}".replace('"', "'")
    return f"{requirement.name}{requirement.specifier}{marker}"


def resolve(text: str, folder: Path, *options: str) -> list[str]:
    """What uv would install for a pyproject.toml, as `name==version; marker`, in the order of names."""
    (folder / "pyproject.toml").write_text(text)
    command = [find_uv(), "export", "--no-hashes", "--no-annotate", "--no-header", "--quiet", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"uv can't resolve pyproject.toml:\n{done.stderr.strip()}")
    return [pin for line in done.stdout.splitlines() if (pin := as_pin(Requirement(line)))]


def find_uv() -> str:
    ours = str(PYPROJECT.parent / ".tools" / "bin")  # where the Makefile puts one
    found = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=ours)
    if found is None:
        raise UserError("uv is not installed; `make env` fetches it")
    return found


def pinned(text: str, everybodys: list[str], ours: list[str]) -> str:
    """A pyproject.toml with these pins: everybody's, and those for the project's own tests."""

    def lines(pins: list[str]) -> list[str]:
        return [f'    "{pin}",' for pin in pins]

    block = [*lines(everybodys), "    # instructors", *lines(ours), "    # /instructors"]
    return PINS.sub("\n".join(block).replace("\\", r"\\") + "\n", text)


def requirements(text: str) -> str:
    """The requirements.txt of a pyproject.toml: what students need, for whoever installs with pip."""
    lines = map(str, read_pins(for_students(text.encode()).decode()))
    return HEADING + "".join(f"{line}\n" for line in lines)


def run(upgrade: list[str]) -> None:
    text = PYPROJECT.read_text()
    kept = [pin for pin in read_pins(text) if "all" not in upgrade and pin.name not in upgrade]
    wanted = pinned(text, [as_pin(pin) for pin in kept], [])
    with tempfile.TemporaryDirectory() as folder:
        lock = PYPROJECT.with_name("uv.lock")
        if lock.exists() and "all" not in upgrade:  # what is installed here and not pinned yet stays as well
            shutil.copy(lock, folder)
        newer = [word for name in upgrade if name != "all" for word in ("--upgrade-package", name)]
        everything = resolve(wanted, Path(folder), "--all-groups", *newer)
        everybodys = resolve(wanted, Path(folder), "--no-dev")
    text = pinned(text, everybodys, [pin for pin in everything if pin not in everybodys])
    for file, content in ((PYPROJECT, text), (REQUIREMENTS, requirements(text))):
        with replacing(file) as temporary:
            temporary.write_text(content)
    print(f"{PYPROJECT.name}: {len(everything)} pins, {len(everybodys)} of them for students too")


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 there is no such set of versions."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.pins", description=__doc__.splitlines()[0])
    parser.add_argument("upgrade", nargs="*", metavar="PACKAGE", help="take this one's newest version; `all`: of each")
    return run_command(lambda: run(parser.parse_args(argv).upgrade))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
