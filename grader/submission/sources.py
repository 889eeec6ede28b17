"""The two files of a submission; nothing else in its folder counts."""

import hashlib
import os
import re
from pathlib import Path

FILES = ("model.py", "sampler.py")
STUB = b"raise NotImplementedError("  # the starter has two in each file …
OPTIONAL = {"DDIMSampler": 2, "guided_eps": 1}  # … not counting those of what is optional
SAID = re.compile(rb"#[^\n]*|\"\"\".*?\"\"\"|'''.*?'''", re.DOTALL)  # what a file says and does not do
LABELS = re.compile(rb"(?<!\bself)\.num_classes\b|[\"']num_classes[\"']")  # config.num_classes, however it is called
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


def is_starter(source: bytes) -> bool:
    """Whether all of a file's stubs are there still, be it with those of what is optional or without it."""
    optional = sum(_stubs_of(source, name) for name in OPTIONAL)
    return source.count(STUB) - optional == 2 and not any(has_begun({"sampler.py": source}, name) for name in OPTIONAL)


def has_begun(sources: dict[str, bytes], name: str) -> bool:
    """Whether the class or function of OPTIONAL is there, and no longer all stubs."""
    source, it = sources.get("sampler.py", b""), name.encode()
    defined = rb"^\s*((class|def)\s+%b\b|%b\s*[:=]|.*\bimport\b.*\b%b\b)" % (it, it, it)
    return bool(re.search(defined, source, re.MULTILINE)) and _stubs_of(source, name) < OPTIONAL[name]


def begun_levels(sources: dict[str, bytes]) -> tuple[int, ...]:
    """The optional levels of which something is written; of level 6 guided_eps, or a network that reads num_classes."""
    with_labels = bool(LABELS.search(SAID.sub(b"", sources.get("model.py", b""))))
    begun = {5: has_begun(sources, "DDIMSampler"), 6: has_begun(sources, "guided_eps") or with_labels}
    return tuple(level for level, so in begun.items() if so)


def _stubs_of(source: bytes, name: str) -> int:
    return len(re.findall(rb'%b"%b[.:]' % (re.escape(STUB), name.encode()), source))


def sha256(sources: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(source).hexdigest() for name, source in sources.items()}
