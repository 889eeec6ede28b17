"""Ctrl-C and SIGTERM as a request that a loop can grant between two steps, when its state is whole."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    made = False  # a flag to look at, instead of an exception between any two instructions


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within the block, the first signal sets `made`; a second one interrupts at once, as usual."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield request
        return

    def on_signal(number: int, frame: object) -> None:
        if request.made:
            raise KeyboardInterrupt  # after a second request, don't wait for the step
        request.made = True
        print("\nstopping after this step; once more stops at once", file=sys.stderr)

    # SIGTERM, too: Slurm and other batch systems send it when the time is up
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():  # also after an exception: Ctrl-C then works as before
            signal.signal(number, handler)
