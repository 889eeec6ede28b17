"""The two files of a submission; nothing else in its folder counts."""

import hashlib
import os
from pathlib import Path

FILES = ("model.py", "sampler.py")
STUB = b"raise NotImplementedError("  # the starter has two in each file
MOST = 1 << 20  # bytes; the longest right answer of the bank has 8,000


def read_sources(folder: Path) -> dict[str, bytes]:
    """File → source, for those that exist and can be read."""
    return {name: (folder / name).read_bytes() for name in FILES if not why_missing(folder / name)}


def why_missing(file: Path, most: int = MOST) -> str:
    """Why a file does not count as handed in, such as for more than `most` bytes; empty if it does."""
    if file.is_symlink():
        return f"{file.name} is a symbolic link; hand in the file itself"
    if file.is_dir():
        return f"{file.name} is a folder; expected a file"
    if file.exists() and not file.is_file():
        return f"{file.name} is no regular file"
    if not file.is_file():
        return f"there is no file {file.name} in {file.parent}"
    if not os.access(file, os.R_OK):
        return f"{file.name} can't be read: it has no read permission"
    if (size := file.stat().st_size) > most:
        return f"{file.name} has {size:,} bytes; expected at most {most:,}"
    return ""


def sha256(sources: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(source).hexdigest() for name, source in sources.items()}
