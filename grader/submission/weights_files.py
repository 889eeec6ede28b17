"""Trained weights beside a submission: what the files are called, and what a safetensors file says of itself.

A submission's folder holds `model.py`, `sampler.py` and `weights/`: for each configuration its weights, and the log
and the configuration of the training. Nothing of it is ever unpickled.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.submission.programs import hash_of
from grader.submission.sources import read_sources, sha256

FOLDER = "weights"
WEIGHTS, LOG, CONFIG, REFUSED = ".safetensors", ".log.csv", ".config.yaml", ".refused.txt"
HANDED_IN, GIVEN, TRAINED, FOUND = "handed in", "given by --weights", "trained by the course", "found"  # origins
MOST = 1 << 30  # bytes of a file that is hashed; weights may have far less
LONGEST = 2000  # bytes of a reason
HEADER = 8  # bytes that say how long the header of a safetensors file is
LFS = b"version https://git-lfs"  # how the file begins that Git stores in place of a large one


def known_configs() -> list[str]:
    """The names of all configurations of this project."""
    return sorted(file.stem for file in (ROOT / "configs").glob("*.yaml") if file.name != "grading.yaml")


def place(submission: Path, config: str, kind: str = WEIGHTS) -> Path:
    return submission / FOLDER / f"{config}{kind}"


def handed_in(submission: Path, config: str) -> Path | None:
    """The weights that lie in a submission's folder."""
    file = place(submission, config)
    return file if file.exists() or file.is_symlink() else None


def refusal(submission: Path, config: str) -> str:
    """Why weights that were handed in have not been taken; empty if they have, or if there are none."""
    file = place(submission, config, REFUSED)
    if not file.is_file() or file.is_symlink():
        return ""
    with file.open("rb") as opened:  # in a folder that is graded as it is, this may be anybody's text
        return " ".join(opened.read(LONGEST).decode(errors="replace").split())


def runs_of(output: Path, source: bytes) -> Path:
    """Where the course's own trainings of a model.py are, in the folder of its results."""
    return output.resolve() / "trainings" / hash_of(source)[:16]


def digests(submission: Path, configs: Iterable[str] | None = None) -> dict[str, str]:
    """SHA-256 of every file of a submission that is judged: the two sources, and weights of these configurations.

    Args:
        configs: None for all that there are; weights that were refused count by the reason
    """
    found = sha256(read_sources(submission))
    if configs is None:
        names = [file.name for file in (submission / FOLDER).glob("*")]
        configs = sorted({n.removesuffix(k) for k in (WEIGHTS, REFUSED) for n in names if n.endswith(k)})
    for config in configs:
        file = handed_in(submission, config) or place(submission, config, REFUSED)
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= MOST:
            found[f"{FOLDER}/{config}{WEIGHTS if file.suffix == WEIGHTS else REFUSED}"] = digest_of(file)
    return found


def digest_of(file: Path) -> str:
    about = file.stat()
    return _digest(file, about.st_ino, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(file: Path, *version: int) -> str:
    """Read once for each version of a file: a class asks again and again."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def header(start: bytes) -> bytes:
    """The header of a safetensors file, from its first bytes; empty if it is no such file, or if they are too few."""
    length = int.from_bytes(start[:HEADER], "little")
    return start[: HEADER + length] if HEADER < HEADER + length <= len(start) else b""


def about(start: bytes) -> dict[str, str] | None:
    """The facts stored in a safetensors file, from its first bytes; None if it is no such file."""
    try:
        facts: Any = json.loads(header(start)[HEADER:]).get("__metadata__", {})
        return {str(name): str(fact) for name, fact in facts.items()}
    except (ValueError, AttributeError, RecursionError):
        return None


def about_file(file: Path, most: int = 1 << 20) -> dict[str, str] | None:
    """The same of a file; also None if it can't be read."""
    try:
        with file.open("rb") as opened:
            return about(opened.read(most))
    except OSError:
        return None


def date_of(file: Path) -> str:
    """When it was last written; whoever handed it in could set any date, also one that no calendar has."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    except (OSError, OverflowError, ValueError):
        return "an impossible date"


def trained_for(facts: Mapping[str, str]) -> str:
    """Epoch and validation loss, as far as the file tells."""
    told = [f"epoch {_number(facts['epoch'])}"] if "epoch" in facts else []
    told += [f"validation loss {_number(facts['val_loss'])}"] if "val_loss" in facts else []
    return ", ".join(told)


def _number(text: str) -> str:
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return "?"
