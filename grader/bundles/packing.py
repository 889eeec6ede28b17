"""Files of the project, packed for others: a folder or a zip file."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader import ROOT

INSTRUCTORS = re.compile(r"[^\n]*(?:<!--|#) instructors\b[^\n]*\n.*?(?:<!--|#) /instructors\b[^\n]*\n", re.DOTALL)
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same zip


def files(*names: str) -> dict[str, bytes]:
    """Path from the root → content, for files and whole folders: only what git tracks, so that no secret leaks.

    Raises:
        UserError: this is not a checkout, or it contains a file that git neither tracks nor ignores
    """
    if unknown := _listed("--others", "--exclude-standard", "--", *names):
        raise UserError(f"{unknown[0]} is not known to git: add it if it belongs to the project, else move it away")
    return {name: (ROOT / name).read_bytes() for name in _listed("--", *names) if (ROOT / name).is_file()}


def _listed(*arguments: str) -> list[str]:
    command = ["git", "ls-files", "-z", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"{ROOT} is no checkout of git, which says what belongs to the project") from error
    return [name for name in done.stdout.split("\0") if name]


def for_students(source: bytes) -> bytes:
    """A text without the parts between the lines `instructors` and `/instructors`, in comments of its language."""
    return INSTRUCTORS.sub("", source.decode()).encode()


def write(target: Path, contents: dict[str, bytes]) -> None:
    """Write a zip file if the target's name says so, else a folder; files that begin with #! are executable.

    Raises:
        UserError: the folder exists and is not empty; a zip file is replaced
    """
    if target.suffix == ".zip":
        _write_zip(target, contents)
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there already; expected a new or an empty folder, or a name that ends in .zip")
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    for name, content in contents.items():
        place = half / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(_mode(content))
    half.replace(target)  # complete or not at all


def _write_zip(target: Path, contents: dict[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = (0o100000 | _mode(content)) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _mode(content: bytes) -> int:
    return 0o755 if content.startswith(b"#!") else 0o644
