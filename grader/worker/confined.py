"""Become a limited user, then run a program: how a training starts, which is a process of its own.

python -m grader.worker.confined REQUEST PROGRAM ARGUMENT …     the request is JSON, see main()
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from grader.worker import limits
from grader.worker.limits import Limits
from grader.worker.processes import die_with_parent, own_user


def read_everything(*folders: str) -> None:
    """Raises OSError if a file below can't be read: our fault, as nothing of the submission has run."""

    def fail(error: OSError) -> None:
        raise error

    for folder in folders:
        for place, _, names in os.walk(folder, onerror=fail):
            for name in names:
                Path(place, name).open("rb").close()


def main(request: dict[str, Any], program: list[str]) -> int:
    """Run the program in a child process; returns its exit code.

    This process stays who it is. It is the one that dies with the judge: bubblewrap may not signal another user's.

    Args:
        request: limits, running, user (see limits.py, processes.py); folder, to run in; readable; ready, a pipe
    """
    die_with_parent()
    child = os.fork()
    if child == 0:
        become(request, program)
    os.close(request["ready"])
    signal.signal(signal.SIGINT, lambda *about: os.kill(child, signal.SIGINT))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def become(request: dict[str, Any], program: list[str]) -> NoReturn:
    """Be the program, limited."""
    limits.apply(Limits(**request["limits"]), request["running"], "")
    own_user(request["user"])
    die_with_parent()  # again, as changing the user resets it
    os.chdir(request["folder"])
    read_everything(*request["readable"])
    os.write(request["ready"], b"1")
    os.close(request["ready"])
    os.execv(sys.executable, [sys.executable, *program])


if __name__ == "__main__":
    code = main(json.loads(sys.argv[1]), sys.argv[2:])
    sys.exit(128 - code if code < 0 else code)  # as shells report a signal
