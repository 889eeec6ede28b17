"""Processes and what they leave behind. Linux only; elsewhere these functions do nothing."""

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time
from pathlib import Path

SCRATCH = Path("/scratch")  # where a submission may write, inside the sandbox


def control_process(option: int, value: int) -> None:
    """prctl(2); other systems have no equivalent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with_parent() -> None:
    """A worker must not outlive a judge that was killed. On other systems than Linux it ends at its next read."""
    PR_SET_PDEATHSIG = 1
    control_process(PR_SET_PDEATHSIG, signal.SIGKILL)


def hide_memory() -> None:
    """Hide this process's memory from others of the same user, such as the workers."""
    PR_SET_DUMPABLE = 4
    control_process(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Processes that a worker leaves behind become the fork server's children, not init's, so they can be ended."""
    PR_SET_CHILD_SUBREAPER = 36
    control_process(PR_SET_CHILD_SUBREAPER, 1)


def descendants(without: set[int], of: int | None = None) -> set[int]:
    """Pids below a process (default: this one), except those in `without` and below them; empty without /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found: set[int] = set()
    look_at = [of or os.getpid()]
    while look_at:
        below = set(children.get(look_at.pop(), ())) - without - found
        found |= below
        look_at += below
    return found


def end_leftovers(workers: set[int]) -> None:
    """Kill all processes except the workers and this one, however fast they fork."""
    if os.getpid() == 1 and not workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # every process in the sandbox
    else:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # a stopped process can't fork
            sent: set[int] = set()
            while new := descendants(workers) - sent:
                sent |= new
                for pid in new:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
    while left := descendants(workers):  # children of a dead process become ours, and are reaped in turn
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def drop_capabilities() -> None:
    """Root stays root, without root's powers, for good where no new privileges are allowed; else does nothing."""
    VERSION_3 = 0x20080522  # of the kernel's structs: this process; effective, permitted and inheritable, twice
    if sys.platform == "linux" and os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.capset(struct.pack("Ii", VERSION_3, 0), bytes(24)):
            raise OSError(ctypes.get_errno(), "capset")


def traces() -> object:
    """What a worker can change, and the next one of the same fork server would find: not files, that is their times."""
    place = os.stat(SCRATCH) if os.getpid() == 1 else None  # in a sandbox, where all share it
    shared = (place.st_ctime_ns, place.st_nlink) if place else None
    return shared, os.sched_getaffinity(0) if sys.platform == "linux" else None


def own_user(number: int | None) -> None:
    """Become that user, for good."""
    if number is not None:
        os.setgroups([])
        os.setgid(number)
        os.setuid(number)
