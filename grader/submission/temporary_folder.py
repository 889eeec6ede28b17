"""Folders for submissions in the system's temporary folder, removed when we end, and soon after a kill -9."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PREFIX, LOCK = "grading-", ".lock"


class TemporaryFolder:
    """A folder that exists until `close`. If its owner was killed, the next TemporaryFolder removes it."""

    def __init__(self) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        # locked before it gets its name, so nobody finds it unlocked while we live
        early = self.path / f"{LOCK}-"
        self.lock = os.open(early, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        early.rename(self.path / LOCK)

    def close(self) -> None:
        remove(self.path)
        os.close(self.lock)


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # another user's, or gone by now
            number = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its owner lives
                remove(lock.parent)
            finally:
                os.close(number)


def remove(folder: Path) -> None:
    """Remove a folder and everything in it, however deep and unreadable a submission has made it."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, folder], stderr=subprocess.DEVNULL)
