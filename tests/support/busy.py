"""Other programs that compete for the cores, as on a shared machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_processes(count: int, *, before: float = 2.0) -> Iterator[None]:
    """Within the block, this many other processes compute all the time, and have done so for `before` seconds."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    if busy:
        time.sleep(before)
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
