"""Landlock, by which a process gives up rights to files for good, without any privilege: Linux 5.13 and newer.

https://docs.kernel.org/userspace-api/landlock.html. Each version of its interface (ABI) can refuse more. Restrictions
are inherited, and add up. Python's standard library alone: it is put in force before anything else is imported.
"""

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on all machines
FILES = {
    1: ("EXECUTE", "WRITE_FILE", "READ_FILE", "READ_DIR", "REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR", "MAKE_DIR",
        "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO", "MAKE_BLOCK", "MAKE_SYM"),
    2: ("REFER",), 3: ("TRUNCATE",), 5: ("IOCTL_DEV",),
}  # fmt: skip
BIT = {name: 1 << i for i, name in enumerate(name for names in FILES.values() for name in names)}
READING = BIT["READ_FILE"] | BIT["READ_DIR"] | BIT["EXECUTE"]
LISTING = BIT["READ_DIR"]
USING = BIT["READ_FILE"] | BIT["WRITE_FILE"] | BIT["IOCTL_DEV"]  # of a device
EVERYTHING = sum(BIT.values()) & ~(BIT["MAKE_CHAR"] | BIT["MAKE_BLOCK"] | BIT["IOCTL_DEV"])
OF_FILES = READING & ~LISTING | USING | BIT["TRUNCATE"]  # the rights that a rule for a file may name
TCP = 0b11  # bind, connect: since the fourth version
SCOPES = 0b11  # abstract sockets and signals stay within: since the sixth
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# what every process may know of the machine; the files' names last only while they are open
OF_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys")

Rules = Iterable[tuple[int, Path]]


def abi() -> int:
    """The version of the kernel's interface; 0 where Landlock is missing, switched off, or not allowed."""
    if sys.platform != "linux":
        return 0
    JUST_THE_VERSION = 1
    return max(0, ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), JUST_THE_VERSION))


def scopes_signals(version: int) -> bool:
    """Whether signals to processes that it did not restrict can be refused."""
    return version >= 6


def in_words(version: int) -> str:
    """What this version keeps a submission from."""
    parts = ["files"] + ["TCP"] * (version >= 4) + ["devices"] * (version >= 5) + ["signals"] * scopes_signals(version)
    return f"Landlock ABI {version}: {', '.join(parts)}"


def restrict(version: int, rules: Rules) -> None:
    """Allow this thread, and all that it starts, only what the rules allow: rights to a file, or below a folder.

    A path that is missing is left out. Raises OSError if the kernel refuses.
    """
    handled = sum(BIT[name] for since, names in FILES.items() if since <= version for name in names)
    fields = [handled, TCP, SCOPES][: 1 + (version >= 4) + scopes_signals(version)]
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = _call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for rights, path in rules:
            _add(ruleset, rights & handled, path)
        PR_SET_NO_NEW_PRIVS = 38
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), None, None, None)
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), 0)
    finally:
        os.close(ruleset)


def _add(ruleset: int, rights: int, path: Path) -> None:
    BENEATH = 1
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        number = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights &= -1 if stat.S_ISDIR(os.fstat(number).st_mode) else OF_FILES
            if rights:
                _call(ADD_RULE, ctypes.c_int(ruleset), BENEATH, struct.pack("=Qi", rights, number), 0)
        finally:
            os.close(number)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def sandbox(
    readable: Iterable[Path], writable: Iterable[Path], hidden: Iterable[Path], *, gpu: bool
) -> list[tuple[int, Path]]:  # fmt: skip
    """The rules for what a sandbox shows: a few folders and files, without those that are hidden in them.

    What lies within something hidden and is shown itself stays.
    """
    rules: list[tuple[int, Path]] = []
    without = [path.resolve() for path in hidden]
    for path in (path.resolve() for path in (*readable, Path("/proc"))):
        rules += _without(path, [each for each in without if path in each.parents])
    rules += [(EVERYTHING, path) for path in writable]
    devices = [Path(name) for name in DEVICES] + (sorted(Path("/dev").glob("nvidia*")) if gpu else [])
    return rules + [(USING | LISTING if path.is_dir() else USING, path) for path in devices]


def _without(path: Path, hidden: list[Path]) -> Iterator[tuple[int, Path]]:
    """Rights hold for all that is below, and can't be taken away there: so each part but the hidden is named."""
    if any(path.is_relative_to(each) for each in hidden):
        return
    if any(each.is_relative_to(path) for each in hidden):
        yield LISTING, path  # which Python's imports need; the names of what is hidden can be seen
        for part in path.iterdir():
            if not part.is_symlink():
                yield from _without(part, hidden)
    else:
        yield READING, path


def all_but_processes() -> list[str]:
    """The folders at the root, in which everything lies but /proc; to be listed before that is refused."""
    return sorted(str(path) for path in Path("/").iterdir() if path.name != "proc")


def keep_to(scratch: Path, version: int, folders: Iterable[str]) -> None:
    """For a worker: of all that may be written, only its own folder; of other processes, nothing.

    What lies in /proc is made anew each time it is looked up, unless somebody keeps it open. So some files are.

    Args:
        folders: what `all_but_processes` found
    """
    kept = [os.open(name, os.O_PATH) for name in ("/proc/self/", *OF_MACHINE) if os.path.exists(name)]
    rules = [(READING, Path(folder)) for folder in folders]
    rules += [(READING, Path(f"/proc/self/fd/{number}")) for number in kept]
    rules += [(USING, Path(name)) for name in DEVICES]
    restrict(version, [*rules, (EVERYTHING, scratch)])
