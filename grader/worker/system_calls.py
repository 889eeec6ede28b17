"""A filter of system calls, for everything that runs a submission: what no network needs is refused by the kernel.

Above all what could carry a note from one process to the next, or reach out of it: keyrings, System V memory, message
queues, sockets, other processes' memory and priorities, namespaces. Seccomp runs the program below for each call. It
lists what is refused, as nobody knows all that a GPU's driver needs. Python's standard library alone: it comes before
anything else is imported.
"""

import contextlib
import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # → AUDIT_ARCH, as the kernel names it in each call
X32 = 0x40000000  # bit of the numbers of another set of calls on x86_64
NEW_NAMESPACE = 0x7E020000  # CLONE_NEW… of a user, mount, PID, network, UTS, IPC or cgroup namespace
# truncating a file that is opened for reading, at which Landlock looks only since its third version
TRUNCATE_ONLY = (os.O_TRUNC | os.O_ACCMODE, os.O_TRUNC | os.O_RDONLY)
LOCAL, DATAGRAM, RAW, KIND = 1, 2, 3, 0xF  # AF_UNIX, and types of sockets that reach any address without connect
NOT_WAITING = 0x8  # RWF_NOWAIT: tells what others have read lately
ANY = 0xFFFFFFFF


@dataclass(frozen=True)
class Case:
    """Only where an argument's low 32 bits, masked, have this value; or any bit, if the value is None.

    `but` are whole values that are never refused.
    """

    argument: int
    mask: int
    value: int | None = None
    but: tuple[int, ...] = ()


Both = tuple[int | None, int | None]  # numbers on x86_64 and aarch64; None where there is no such call
Numbers = dict[str, Both]

REFUSED: Numbers = {
    # notes for other processes: keyrings, System V shared memory, semaphores and messages, POSIX message queues
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the kernel's log, in which a crash could write, and what of the disk is in memory
    "syslog": (103, 116), "cachestat": (451, 451),
    # other processes, and the machine
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "perf_event_open": (298, 241), "bpf": (321, 280), "userfaultfd": (323, 282), "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "connect": (42, 203),
    # another view of the file system
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "truncate": (76, 45),
    # for administrators
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "personality": (135, 92),
}  # fmt: skip
# libraries try these, and take another way: glibc forks by clone, which can be filtered by its flags
UNKNOWN: Numbers = {
    "clone3": (435, 435), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "openat2": (437, 437),
}  # fmt: skip
# what a GPU's driver may try, and does no harm there, where each worker has a sandbox of its own: priorities, which a
# worker inherits from the process that it is forked from, and what of a file is in memory
WITHOUT_GPU: Numbers = {
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "migrate_pages": (256, 238), "mincore": (27, 232),
    "socket": (41, 198), "bind": (49, 200),
}  # fmt: skip
IN_CASE: dict[str, tuple[Both, tuple[Case, ...]]] = {
    "clone": ((56, 220), (Case(0, NEW_NAMESPACE),)),
    "prlimit64": ((302, 261), (Case(0, ANY),)),  # of another process
    "socketpair": ((53, 199), (Case(1, KIND, DATAGRAM), Case(1, KIND, RAW))),
    "preadv2": ((327, 286), (Case(5, NOT_WAITING),)),
    "open": ((2, None), (Case(1, TRUNCATE_ONLY[0], TRUNCATE_ONLY[1]),)),
    "openat": ((257, 56), (Case(2, TRUNCATE_ONLY[0], TRUNCATE_ONLY[1]),)),
}
# the driver listens at a socket of this machine's; nothing connects to it, and nothing reaches the network
WITH_GPU: dict[str, tuple[Both, tuple[Case, ...]]] = {
    "socket": ((41, 198), (Case(1, KIND, DATAGRAM), Case(1, KIND, RAW), Case(0, 0, 0, but=(LOCAL,)))),
}
# where files lie in their usual places, and the rights to them are those of the judge's user: in Landlock's keeping
METADATA: Numbers = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
}  # fmt: skip
# signals, where Landlock does not yet keep them in: name → numbers, and the targets that a process may have
SIGNALS: dict[str, tuple[Both, Callable[[int], tuple[int, ...]]]] = {
    "kill": ((62, 129), lambda pid: (pid, 0, -pid & ANY)),
    "tgkill": ((234, 131), lambda pid: (pid,)),
    "rt_sigqueueinfo": ((129, 138), lambda pid: (pid,)),
    "rt_tgsigqueueinfo": ((297, 240), lambda pid: (pid,)),
    "tkill": ((200, 130), lambda pid: ()),
    "pidfd_send_signal": ((424, 424), lambda pid: ()),
}

# instructions of classic BPF, and offsets in the kernel's struct seccomp_data
LOAD, AND, RETURN = 0x20, 0x54, 0x06
IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT = 0x15, 0x35, 0x45
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16
ALLOW, FAIL = 0x7FFF0000, 0x00050000


def machine() -> str:
    """This machine's kind, if there is a filter for it; else empty."""
    kind = platform.machine()
    return kind if kind in MACHINES and struct.calcsize("P") == 8 else ""


def program(kind: str, *, metadata: bool = True, gpu: bool = False) -> bytes:
    """The filter, as the kernel and bubblewrap read it.

    Args:
        kind: x86_64 or aarch64
        metadata: whether that of files may be changed
        gpu: for a worker that uses one
    """
    fixed = [(REFUSED, errno.EPERM), (UNKNOWN, errno.ENOSYS)]
    fixed += [] if gpu else [(WITHOUT_GPU, errno.EPERM)]
    fixed += [] if metadata else [(METADATA, errno.EPERM)]
    return _program(kind, fixed, IN_CASE | WITH_GPU if gpu else IN_CASE)


def _program(kind: str, fixed: list[tuple[Numbers, int]], in_case: dict[str, tuple[Both, tuple[Case, ...]]]) -> bytes:
    """A program that refuses some calls with an error each, others in some cases, and allows the rest."""
    column = list(MACHINES).index(kind)
    words = [
        _word(LOAD, MACHINE), _word(IF_EQUAL, MACHINES[kind], 1, 0), _word(RETURN, FAIL | errno.ENOSYS),
        _word(LOAD, NUMBER), _word(IF_AT_LEAST, X32, 0, 1), _word(RETURN, FAIL | errno.ENOSYS),
    ]  # fmt: skip
    for numbers, error in fixed:
        for each in numbers.values():
            words += _refuse(each[column], [_word(RETURN, FAIL | error)])
    for both, cases in in_case.values():
        body = [word for case in cases for word in _if(case)]
        words += _refuse(both[column], [*body, _word(LOAD, NUMBER)])
    return b"".join([*words, _word(RETURN, ALLOW)])


def _word(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    """An instruction, and how many to skip in either case."""
    return struct.pack("HBBI", code, if_so, if_not, value)


def _refuse(number: int | None, body: list[bytes]) -> list[bytes]:
    return [] if number is None else [_word(IF_EQUAL, number, 0, len(body)), *body]


def _if(case: Case) -> list[bytes]:
    words = [_word(LOAD, ARGUMENTS + 8 * case.argument)]
    for value in case.but:
        words += [_word(IF_EQUAL, value, 0, 1), _word(RETURN, ALLOW)]
    if case.value is None:
        words.append(_word(IF_ANY_BIT, case.mask, 0, 1))
    else:
        words += [_word(AND, case.mask), _word(IF_EQUAL, case.value, 0, 1)]
    return [*words, _word(RETURN, FAIL | errno.EPERM)]


def own_signals(kind: str, pid: int) -> bytes:
    """A filter for one process: signals to itself alone, its threads and its group."""
    return _program(kind, [], {name: (both, (Case(0, 0, 0, but(pid)),)) for name, (both, but) in SIGNALS.items()})


def install(filter_: bytes) -> None:
    """Put a filter in force for this thread and all that it starts, for good. Raises OSError if that's impossible."""
    PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
    code = ctypes.create_string_buffer(filter_, len(filter_))
    pointer = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, more in (
        (PR_SET_NO_NEW_PRIVS, 1, None), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(pointer)),
    ):  # fmt: skip
        if libc.prctl(option, ctypes.c_ulong(value), more, None, None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def as_file(*, gpu: bool) -> Iterator[int]:
    """The filter in a file without a name, as bubblewrap wants it; -1 if there is none for this machine."""
    if not machine():
        yield -1
        return
    number = os.memfd_create("filter")
    try:
        os.write(number, program(machine(), gpu=gpu))
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)
