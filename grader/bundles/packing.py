"""Files of the project, packed for others: a folder, or an archive."""

import gzip
import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader import ROOT
from grader.submission.contents import ARCHIVE

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
    return re.sub(r"\n{3,}", "\n\n", INSTRUCTORS.sub("", source.decode())).encode()


def write(target: Path, contents: dict[str, bytes], *, top: str = "") -> None:
    """Write an archive if the target's name says so, else a folder; files that begin with #! are executable.

    Args:
        top: the one folder at the top of an archive; a folder has none
    Raises:
        UserError: the folder exists and is not empty, or there is no such kind of archive; an archive is replaced
    """
    kind = ARCHIVE.search(target.name)
    if kind is None:
        _write_folder(target, contents)
        return
    if target.is_dir():
        raise UserError(f"{target}: a folder; expected a file, as the name ends in {kind[0]}")
    writers = {".zip": _write_zip, ".tar": _write_tar, ".tar.gz": _write_tar, ".tgz": _write_tar}
    if kind[0].lower() not in writers:
        raise UserError(f"{target}: {kind[0]} can't be written; expected {', '.join(writers)}, or a folder")
    with replacing(target) as temporary:
        writers[kind[0].lower()](temporary, {f"{top}/{name}" if top else name: c for name, c in contents.items()})


def _write_folder(target: Path, contents: dict[str, bytes]) -> None:
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
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = (0o100000 | _mode(content)) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _write_tar(target: Path, contents: dict[str, bytes]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)  # of nobody, in 1970
            entry.size, entry.mode = len(content), _mode(content)
            archive.addfile(entry, io.BytesIO(content))
    data = packed.getvalue()
    target.write_bytes(data if target.suffix == ".tar" else gzip.compress(data, mtime=0))


def _mode(content: bytes) -> int:
    return 0o755 if content.startswith(b"#!") else 0o644
