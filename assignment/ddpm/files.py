"""Writing files so that a crash at any moment leaves the old version or the new one, never half a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success, flushes it to disk and moves it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # beside the path, not in /tmp: only within one file system is moving a file a single step
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")  # keeps the suffix, which tells writers the format
    temporary.touch()
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)  # the user's default; safetensors would make its file private
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # before it is moved: else a power cut could leave the new name without content
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
