"""Give up rights, then run a program: what is done where there is no bubblewrap. See landlock.py and system_calls.py.

python -S -c "…; start(…)" REQUEST PROGRAM ARGUMENT …     the request is JSON, see main(); sandbox.py writes it

This comes before the program, so that no thread that a library has started is left out.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn

from grader.worker import landlock, system_calls
from grader.worker.processes import drop_capabilities


def main(request: dict[str, Any], program: list[str]) -> NoReturn:
    """Be the program, with fewer rights.

    Args:
        request: at, the folder to run in; scratch, its folder for temporary files; readable, writable, hidden; gpu;
            landlock, the version to use, 0 for none; filtered, whether to filter system calls; metadata, whether it
            may change that of files
    Raises:
        OSError: the kernel refuses
    """
    os.chdir(request["at"])
    os.environ |= {"LOGNAME": "submission"}  # torch.compile asks for it, and there is no list of users
    if request["scratch"]:
        os.environ |= {"HOME": request["scratch"], "TMPDIR": request["scratch"]}
    drop_capabilities()
    if request["landlock"]:
        with contextlib.suppress(OSError):  # later, nothing in /proc can be written to
            Path("/proc/self/oom_score_adj").write_text("1000")
        readable, writable, hidden = ([Path(p) for p in request[k]] for k in ("readable", "writable", "hidden"))
        landlock.restrict(request["landlock"], landlock.sandbox(readable, writable, hidden, gpu=request["gpu"]))
    if request["filtered"]:
        kind, about = system_calls.machine(), {each: request[each] for each in ("metadata", "gpu")}
        system_calls.install(system_calls.program(kind, **about))
    os.execvp(program[0], program)


def start(words: list[str]) -> NoReturn:
    """From the command line."""
    main(json.loads(words[0]), words[1:])


def keep_apart(scratch: Path, version: int, folders: list[str], *, filtered: bool) -> None:
    """What a worker gives up besides: all but its own folder, and other processes. Arguments as in landlock.keep_to."""
    if version:
        landlock.keep_to(scratch, version, folders)
    if filtered and not landlock.scopes_signals(version):
        system_calls.install(system_calls.own_signals(system_calls.machine(), os.getpid()))
