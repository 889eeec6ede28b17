"""The filter of system calls: its numbers, its program on both machines, and what it refuses in a worker."""

import errno
import re
import struct
from pathlib import Path

import pytest

from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox
from grader.worker import system_calls
from grader.worker.system_calls import (
    IN_CASE,
    MACHINES,
    METADATA,
    REFUSED,
    SIGNALS,
    UNKNOWN,
    WITH_GPU,
    WITHOUT_GPU,
    X32,
)
from tests.support.asking import WALLS, asked

HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")
ALLOWED = {
    "read": (0, 63),
    "write": (1, 64),
    "futex": (202, 98),
    "ioctl": (16, 29),
    "mmap": (9, 222),
    "execve": (59, 221),
}
TABLE = REFUSED | UNKNOWN | WITHOUT_GPU | METADATA
CASES = IN_CASE | WITH_GPU | SIGNALS
OK = 0


def answer(program: bytes, kind: str, number: int, *arguments: int) -> int:
    """What the kernel's machine makes of a call: its error, 0 if it is allowed."""
    code = [struct.unpack_from("HBBI", program, i) for i in range(0, len(program), 8)]
    data = struct.pack("iIQ6Q", number, MACHINES[kind], 0, *arguments, *[0] * (6 - len(arguments)))
    here, value = 0, 0
    while True:
        what, if_so, if_not, constant = code[here]
        here += 1
        if what == system_calls.LOAD:
            value = struct.unpack_from("I", data, constant)[0]
        elif what == system_calls.AND:
            value &= constant
        elif what == system_calls.RETURN:
            return OK if constant == system_calls.ALLOW else constant & 0xFFFF
        else:
            tests = {
                system_calls.IF_EQUAL: value == constant,
                system_calls.IF_AT_LEAST: value >= constant,
                system_calls.IF_ANY_BIT: bool(value & constant),
            }
            here += if_so if tests[what] else if_not


@pytest.mark.parametrize("column", [0, 1], ids=list(MACHINES))
def test_the_numbers_are_those_of_the_kernel(column):
    if not Path(HEADERS[column]).exists():
        pytest.skip("needs the kernel's headers")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(HEADERS[column]).read_text())
    known = {name: int(number) for name, number in found}
    ours = {name: both[column] for name, both in (TABLE | ALLOWED).items()}
    ours |= {name: both[column] for name, (both, _) in CASES.items()}
    assert len(known) > 250 and {n: ours[n] for n in ours if n in known} == {n: known[n] for n in ours if n in known}
    assert [name for name, number in ours.items() if number is None and name in known] == []


@pytest.mark.parametrize("column", [0, 1], ids=list(MACHINES))
def test_each_is_refused_and_nothing_else(column):
    kind = list(MACHINES)[column]
    strict, usual = system_calls.program(kind, metadata=False), system_calls.program(kind)
    numbers = {both[column] for both in TABLE.values()} - {None}
    assert all(answer(strict, kind, number) for number in numbers)
    in_case = {both[column] for both, _ in IN_CASE.values()}
    assert not any(answer(strict, kind, number) for number in range(480) if number not in numbers | in_case)
    assert all(answer(usual, kind, both[column]) == OK for both in METADATA.values() if both[column] is not None)
    assert all(answer(usual, kind, both[column]) == errno.ENOSYS for both in UNKNOWN.values())
    assert all(answer(strict, kind, both[column]) == OK for both in ALLOWED.values())
    assert len(strict) // 8 < 4096  # the kernel's limit


@pytest.mark.parametrize("kind", MACHINES)
def test_cases_depend_on_the_arguments(kind):
    column, usual = list(MACHINES).index(kind), system_calls.program(kind)
    gpu, signals = system_calls.program(kind, gpu=True), system_calls.own_signals(kind, 77)

    def call(program: bytes, name: str, *arguments: int) -> int:
        both = (CASES[name][0] if name in CASES else TABLE[name])[column]
        return answer(program, kind, both, *arguments)

    assert call(usual, "clone", 17) == call(usual, "clone", 0x3D0F00) == OK  # a process, a thread
    assert call(usual, "clone", 0x10000000 | 17) == call(usual, "clone", 0x20000) == errno.EPERM
    assert call(usual, "prlimit64", 0) == OK and call(usual, "prlimit64", 1) == errno.EPERM
    assert call(usual, "socketpair", 1, 1 | 0o2000000) == call(usual, "socketpair", 1, 5) == OK
    assert call(usual, "socketpair", 1, 2 | 0o2000000) == call(usual, "socketpair", 1, 3) == errno.EPERM
    assert call(usual, "preadv2", 3, 0, 0, 0, 0, 0) == OK and call(usual, "preadv2", 3, 0, 0, 0, 0, 8) == errno.EPERM
    assert call(usual, "openat", 3, 0, 0o1101) == call(usual, "openat", 3, 0, 0o1002) == OK
    assert call(usual, "openat", 3, 0, 0o1000) == errno.EPERM
    assert call(usual, "socket", 1, 1) and call(usual, "socket", 2, 1) and call(usual, "bind")
    assert call(gpu, "socket", 1, 5) == call(gpu, "bind") == call(gpu, "sched_setscheduler") == OK
    assert (
        call(gpu, "socket", 1, 2) and call(gpu, "socket", 2, 1) and call(gpu, "socket", 16, 3) and call(gpu, "connect")
    )
    assert call(signals, "kill", 77) == call(signals, "kill", 0) == call(signals, "kill", 2**32 - 77) == OK
    assert call(signals, "tgkill", 77, 78) == OK and call(signals, "tkill", 78) and call(signals, "tgkill", 1, 1)
    assert call(signals, "kill", 1) and call(signals, "kill", 2**32 - 1) and call(signals, "kill", 78)


@pytest.mark.parametrize(("kind", "other"), [tuple(MACHINES), tuple(reversed(MACHINES))])
def test_calls_of_another_machine_are_refused(kind, other):
    program = system_calls.program(kind)
    assert answer(program, other, 0) == answer(program, kind, X32 | 1) == errno.ENOSYS


REFUSES = """
import ctypes, os
libc, found = ctypes.CDLL(None, use_errno=True), []
for name, number in {numbers}.items():
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (1, 38):
        found.append([name, ctypes.get_errno()])"""


@pytest.mark.skipif(not system_calls.machine(), reason="there is no filter for this machine")
@pytest.mark.parametrize("wall", WALLS)
def test_a_worker_is_refused_each(wall, tmp_path):
    column = list(MACHINES).index(system_calls.machine())
    table = REFUSED | UNKNOWN | WITHOUT_GPU | (METADATA if wall == "landlock" else {})
    numbers = {name: both[column] for name, both in table.items() if both[column] is not None}
    assert asked(tmp_path, REFUSES.format(numbers=numbers), wall) == []


NOTE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
ADD, SEARCH = {add}, {keyctl}
found = []
for ring in (-1, -2, -3, -4, -5):  # of the thread, process, session, user, user's session
    libc.syscall(ADD, b"user", b"note", b"1", 1, ring)
    found.append(libc.syscall(SEARCH, 10, ring, b"user", b"note", 0) > 0)
shared = libc.shmget(0x6e6f7465, 4096, 0o1666)
found += [shared >= 0, libc.semget(0x6e6f7465, 1, 0o1666) >= 0, libc.msgget(0x6e6f7465, 0o1666) >= 0]"""


@pytest.mark.parametrize("wall", WALLS)
def test_no_note_can_be_left_in_the_kernel(wall, tmp_path):
    column = list(MACHINES).index(system_calls.machine())
    code = NOTE.format(add=REFUSED["add_key"][column], keyctl=REFUSED["keyctl"][column])
    assert asked(tmp_path, code, wall) == [False] * 8


ORDINARY = """
import concurrent.futures, multiprocessing, os, resource, signal, socket, subprocess, tempfile, threading, torch
torch.set_num_threads(2)
network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.GroupNorm(2, 8), torch.nn.Conv2d(8, 1, 3))
network(torch.randn(4, 1, 16, 16)).square().mean().backward()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    found = list(pool.map(lambda x: x + 1, range(3)))
found.append(subprocess.run(["/bin/echo", "a"], capture_output=True, text=True).stdout.strip())
reader, writer = multiprocessing.Pipe()
child = os.fork()
if child == 0:
    writer.send("b")
    os._exit(0)
found.append(reader.recv())
os.waitpid(child, 0)
with tempfile.TemporaryFile() as file:
    file.write(b"123")
    file.truncate(2)
    found.append(file.seek(0, 2))
one, other = socket.socketpair()
one.send(b"c")
found.append(other.recv(1).decode())
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.kill(os.getpid(), signal.SIGCONT)
os.getpriority(os.PRIO_PROCESS, 0)
torch.save(network.state_dict(), "a file")
found.append(os.cpu_count() > 0)"""


@pytest.mark.parametrize("wall", WALLS)
def test_what_programs_do_works(wall, tmp_path):
    assert asked(tmp_path, ORDINARY, wall) == [1, 2, 3, "a", "b", 2, "c", True]


def test_without_landlock_the_filter_alone_keeps_to_itself(tmp_path, monkeypatch):
    """An older kernel, without bubblewrap: files are open, but no note, no socket and no signal leave the process."""
    monkeypatch.setattr("grader.submission.sandbox.shutil.which", lambda name: None)
    monkeypatch.setattr("grader.worker.landlock.abi", lambda: 0)
    find_sandbox.cache_clear()
    try:
        sandbox = find_sandbox("auto")
        assert sandbox.guards()[1:] == ["system calls filtered"] and sandbox.kind() == "auto"
    finally:
        find_sandbox.cache_clear()
    fork_server = ForkServer(fork=True, sandbox=sandbox)
    code = """
import os, socket
found = []
for attempt in (lambda: os.kill(os.getppid(), 0), lambda: os.kill(-1, 0), lambda: socket.socket(socket.AF_UNIX)):
    try:
        attempt()
        found.append("done")
    except OSError as error:
        found.append(error.errno)"""
    try:
        assert asked(tmp_path, code, fork_server) == [errno.EPERM] * 3
        assert asked(tmp_path, ORDINARY, fork_server)[:3] == [1, 2, 3]
    finally:
        fork_server.close()
