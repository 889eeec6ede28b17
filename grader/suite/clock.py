"""What is under way, and for how long: one line at the foot of a terminal, redrawn until it is cleared."""

import os
import sys
import threading
import time
from typing import TextIO

from grader.reports.columns import clipped, width

EVERY = 0.25  # seconds between two drawings
ERASE = "\r\x1b[K"  # the line under the cursor


class Clock:
    """Draws into a copy of standard output, so that pytest, which captures the original, does not get it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.says, self.since = "", 0.0
        self.changed = threading.Condition()
        threading.Thread(target=self._draw, daemon=True).start()

    def show(self, says: str) -> None:
        with self.changed:
            self.says, self.since = says, time.monotonic()
            self.changed.notify()

    def clear(self) -> str:
        """Erase the line; returns what it said."""
        with self.changed:
            says, self.says = self.says, ""
            if says:
                self._write(ERASE)
            return says

    def _draw(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.says)
                took = time.monotonic() - self.since
                room = width(self.stream.fileno()) - 1
                self._write(ERASE + clipped(f"  {took:3.0f} s  {self.says}", room))
                self.changed.wait(EVERY)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # the terminal is gone
            self.says = ""


class NoClock:
    """Where there is no terminal, or it belongs to a debugger or to what the submission prints."""

    def show(self, says: str) -> None: ...

    def clear(self) -> str:
        return ""


def clock_for(stream: TextIO) -> Clock | NoClock:
    """A clock if the stream is a terminal that can erase a line."""
    if not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return NoClock()
    return Clock(os.fdopen(os.dup(stream.fileno()), "w", encoding=sys.stdout.encoding, errors="replace"))
