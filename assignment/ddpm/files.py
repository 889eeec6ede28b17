"""Writing files so that a crash at any moment leaves the old version or the new one, never half a file."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from assignment.ddpm.errors import UserError

ABANDONED = 3600  # seconds after which nobody is writing a temporary file any more


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success, flushes it to disk and moves it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # beside the path, not in /tmp: only within one file system is moving a file a single step
    # its suffix tells writers the format; its number keeps two processes that write the same file apart
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    _remove_abandoned(path)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # the user's default; safetensors would make its file private
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # before it is moved: else a power cut could leave the new name without content
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):  # of which nobody knows who reads the message
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Temporary files that processes have left behind which were killed while they wrote this file."""
    for left in path.parent.glob(f".{escape(path.stem)}.*.tmp{escape(path.suffix)}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


@contextmanager
def only_one(lock: Path, otherwise: str) -> Iterator[None]:
    """Hold a lock, at most until this process ends. Raises UserError, with `otherwise`, if another one holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{otherwise}; expected it to end first") from error
        except OSError:
            pass  # a file system without locks
        yield
