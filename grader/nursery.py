"""Where workers come from. Imports no torch: it is started before the judge imports it, so that both do so at once."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import ROOT
from grader.errors import GraderFault

BOOT_SECONDS = 120  # for our own process to import torch, on a slow disk


@dataclass
class Ending:
    """How a worker ended: its wait status, and whether that was our doing."""

    status: int = 0
    killed: bool = True


@dataclass
class Process:
    """A worker under way: the socket to it, and the pipe that its prints come through."""

    sock: socket.socket
    output: int
    end: Callable[[], Ending]
    printed: bytearray = field(default_factory=bytearray)


class Nursery:
    """Makes workers: by fork from a process that has imported torch, or as new processes where forks don't work."""

    def __init__(self, *, fork: bool) -> None:
        self.fork = fork
        if fork:
            self._open()

    def _open(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(BOOT_SECONDS)
        self.process = self._start(["--control", str(theirs.fileno())], theirs.fileno())
        theirs.close()

    def _start(self, arguments: list[str], *files: int, session: bool = False) -> subprocess.Popen:
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        env |= {"PYTHONDONTWRITEBYTECODE": "1"}
        # threads that wait by spinning slow each other down a hundredfold where other programs want the cores, too
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        return subprocess.Popen(
            [sys.executable, "-m", "grader.worker", *arguments], cwd=ROOT, env=env, pass_fds=files,
            stdin=subprocess.DEVNULL, start_new_session=session,
        )  # fmt: skip

    def spawn(self, folder: Path, device: str, *, trusted: bool, threads: int) -> Process:
        request = {"folder": str(folder), "device": device, "trusted": trusted, "threads": threads}
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        try:
            end = self._fork(request, theirs, write) if self.fork else self._spawn(request, ours, theirs, write)
        except BaseException:
            ours.close()
            os.close(read)
            raise
        finally:
            theirs.close()
            os.close(write)
        os.set_blocking(read, False)
        ours.setblocking(False)
        return Process(ours, read, end)

    def _fork(self, request: dict[str, Any], theirs: socket.socket, write: int) -> Callable[[], Ending]:
        try:
            pid = self._ask(request, [theirs.fileno(), write])["pid"]
        except OSError:  # a submission can kill its parent: then there is another one
            self.close()
            self._open()
            pid = self._ask(request, [theirs.fileno(), write])["pid"]

        def end() -> Ending:
            try:
                return Ending(**self._ask({"end": pid}))
            except OSError:
                return Ending()  # died with its nursery

        return end

    def _ask(self, request: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        socket.send_fds(self.control, [json.dumps(request).encode()], files)
        data = self.control.recv(1 << 16)
        if not data:
            raise ConnectionError("the nursery of the workers has died")
        return json.loads(data)

    def _spawn(
        self, request: dict[str, Any], ours: socket.socket, theirs: socket.socket, write: int
    ) -> Callable[[], Ending]:
        process = self._start(
            ["--serve", str(theirs.fileno()), str(write), json.dumps(request)], theirs.fileno(), write, session=True
        )
        theirs.close()
        ours.settimeout(BOOT_SECONDS)
        if ours.recv(1) != b"1":
            raise GraderFault("a worker did not start")

        def end() -> Ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
            killed = process.returncode is None
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            return Ending(-code if code < 0 else code << 8, killed)

        return end

    def close(self) -> None:
        if self.fork:
            self.control.close()
            self.process.kill()  # it may be in the middle of an import, and has no worker left to end
            self.process.wait()
