"""The fork servers of this process: one for each way to run submissions, shared by all of its gradings."""

import atexit
from functools import cache
from pathlib import Path

from grader.grading_config import load_grading
from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox


def shared_fork_server(
    *, fork: bool, sandbox: str = "auto", trusted: bool = False, private: tuple[Path, ...] = ()
) -> ForkServer:
    """One for all gradings of this process; it ends with the process. Raises GraderFault as `find_sandbox` does."""
    return _shared(fork, sandbox, trusted, private)


@cache
def _shared(fork: bool, sandbox: str, trusted: bool, private: tuple[Path, ...]) -> ForkServer:
    fork_server = ForkServer(
        fork=fork, sandbox=find_sandbox(sandbox), limits=load_grading().limits, trusted=trusted, private=private
    )  # fmt: skip
    atexit.register(fork_server.close)
    return fork_server
