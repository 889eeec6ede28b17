"""The fork servers of this process: one for each way to run submissions, shared by all of its gradings."""

import atexit
from pathlib import Path

from grader.grading_config import load_grading
from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox

_running: dict[tuple[bool, str, bool, tuple[Path, ...]], ForkServer] = {}


def shared_fork_server(
    *, fork: bool, sandbox: str = "auto", trusted: bool = False, private: tuple[Path, ...] = ()
) -> ForkServer:
    """One for all gradings of this process; it ends with the process. Raises GraderFault as `find_sandbox` does."""
    chosen = fork, sandbox, trusted, private
    if chosen not in _running:
        _running[chosen] = ForkServer(
            fork=fork, sandbox=find_sandbox(sandbox), limits=load_grading().limits, trusted=trusted, private=private
        )  # fmt: skip
    return _running[chosen]


@atexit.register
def close_fork_servers() -> None:
    """Also for a process that ends without calling what is registered with atexit, as multiprocessing's do."""
    while _running:
        _running.popitem()[1].close()
