"""Run a stranger's program for as long as it keeps its limits: a training, which may take hours.

It can't write to the judge's terminal or to a CI's log: its output comes through a pipe, and goes on line by line.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LINE, OUTPUT = 400, 1 << 20  # characters of a line, and of all lines, that are passed on
FILES = 10_000  # in its folder
POLL = 0.5  # seconds between looks at the folder and the clock
FAREWELL = 60.0  # seconds for a checkpoint after Ctrl-C
MIB = 1 << 20


@dataclass
class Lines:
    """Passes on the output, a line at a time; what a progress bar draws over is a line of its own."""

    say: Callable[[str, bool], None]  # the line, and whether it will be drawn over
    rest: str = ""
    left: int = OUTPUT
    about: str = field(default="… more output, not shown", repr=False)

    def feed(self, data: bytes) -> None:
        self.rest += data.decode(errors="replace")
        while ends := [i for i in (self.rest.find("\n"), self.rest.find("\r")) if i >= 0]:
            end = min(ends)
            self._pass_on(self.rest[:end], drawn_over=self.rest[end] == "\r")
            self.rest = self.rest[end + 1 :]
        if len(self.rest) > LINE:
            self._pass_on(self.rest, drawn_over=False)
            self.rest = ""

    def _pass_on(self, line: str, *, drawn_over: bool) -> None:
        line = line[:LINE].rstrip()
        if not line or self.left <= 0:
            return
        self.left -= 0 if drawn_over else len(line) + 1
        self.say(line if self.left > 0 else self.about, drawn_over)


def size_of(folder: Path) -> tuple[int, int]:
    """Bytes on disk and number of entries below a folder, which may change meanwhile."""
    size = count = 0
    for place, folders, names in os.walk(folder):
        count += len(folders) + len(names)
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_blocks * 512
    return size, count


def supervise(
    process: subprocess.Popen[bytes], say: Callable[[str, bool], None], *, seconds: float, folder: Path, mib: int
) -> tuple[int, str]:
    """Wait for a process, started in a session of its own with stdout in a pipe; kill it if it breaks a limit.

    Args:
        seconds: that it may run
        folder: that it may write to: at most `mib`, and FILES files
    Returns:
        its exit code, and why it was ended: empty if it ended by itself
    Raises:
        KeyboardInterrupt: after Ctrl-C, once it has had time for a checkpoint
    """
    assert process.stdout is not None, "its output comes through a pipe"
    output, lines, deadline, why = process.stdout.fileno(), Lines(say), time.monotonic() + seconds, ""
    try:
        looked, listening = time.monotonic(), True
        while not why:
            if select.select([output] if listening else [], [], [], POLL)[0]:
                data = os.read(output, 1 << 16)
                lines.feed(data)
                listening = bool(data)
            elif process.poll() is not None:  # its last words are read, though something it left may hold the pipe
                break
            if time.monotonic() - looked >= POLL:
                looked = time.monotonic()
                why = _broken(deadline, folder, mib)
        lines.feed(b"\n")
        if not why:
            return process.wait(), ""
    except KeyboardInterrupt:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_innermost(process.pid), signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(FAREWELL)  # for its checkpoint
        raise
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return process.returncode, why


def _broken(deadline: float, folder: Path, mib: int) -> str:
    """Which limit is broken, in words."""
    if time.monotonic() > deadline:
        return "its time was up"
    size, count = size_of(folder)
    if size > mib * MIB:
        return f"it wrote more than {mib:,} MiB"
    return f"it wrote more than {FILES:,} files" if count > FILES else ""


def _innermost(pid: int) -> int:
    """The program itself: bubblewrap's only child, if it runs in a sandbox."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = children.read_text().split() if children.exists() else []
    return int(below[0]) if below else pid
