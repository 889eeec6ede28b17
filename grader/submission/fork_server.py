"""The source of workers. Imports no torch: it starts before the judge imports torch, so both import it at once."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assignment.ddpm import WAITING
from grader.errors import GraderFault
from grader.submission.given_code import GIVEN, WORKER, CodeFolder
from grader.submission.sandbox import Sandbox, clean_environment, user_for
from grader.submission.temporary_folder import TemporaryFolder
from grader.worker import landlock
from grader.worker.import_block import ready_made
from grader.worker.limits import Limits, tasks_of_user
from grader.worker.processes import SCRATCH

PATIENCE = 600  # seconds for our own process, which may be importing torch from a slow disk, on a busy machine
NO_SANDBOX, DEFAULT_LIMITS = Sandbox(), Limits()


@dataclass
class Ending:
    """How a worker ended: its wait status, and whether we killed it."""

    status: int = 0
    killed: bool = True


@dataclass
class Process:
    """A running worker: the socket to it, and the pipe with its output."""

    sock: socket.socket
    output: int
    end: Callable[[], Ending]
    warm: bool  # whether what torch needs for training was imported before the submission got there
    printed: bytearray = field(default_factory=bytearray)


class ForkServer:
    """Makes workers: by fork from a process that has imported torch, or as new processes where forks don't work.

    If there is a sandbox, the process that forks is inside it, as its process 1: no worker can signal or read it. Where
    Landlock takes the sandbox's place, each worker gives up more rights than the process that it is forked from.
    Submissions are in `home`, which the sandbox shows read-only. Ready-made networks are visible only if `trusted`;
    what is `private`, the course's images and its secret, to nobody.
    """

    def __init__(
        self, *, fork: bool, sandbox: Sandbox = NO_SANDBOX, limits: Limits = DEFAULT_LIMITS, trusted: bool = False,
        private: Iterable[Path] = (),
    ) -> None:  # fmt: skip
        self.fork, self.sandbox, self.limits, self.trusted = fork, sandbox, limits, trusted
        self.private = tuple(private)
        self.user = user_for(os.getpid()) if sandbox else None
        self.home = TemporaryFolder()
        self.code = CodeFolder((*WORKER, *GIVEN))
        if self.user is not None:
            os.chown(self.home.path, self.user, self.user)
        self.process: subprocess.Popen[bytes] | None = None
        if fork:
            self._open()

    def _open(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(PATIENCE)
        self.process = self._start(["--control", str(theirs.fileno())], theirs.fileno(), writable=self.home.path)
        theirs.close()

    def _start(
        self, arguments: list[str], *files: int, writable: Path, gpu: bool = False
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start our own program inside; without bubblewrap it can write to `writable`."""
        code = self.code.path
        # torch creates this folder when imported: name one that exists
        env = WAITING | clean_environment() | {"TORCHINDUCTOR_CACHE_DIR": str(code)}
        with self.sandbox.filter_file(gpu=gpu) as filter_:
            command = self.sandbox.wrap(
                [sys.executable, "-m", "grader.worker", *arguments], at=code, readable=[code, self.home.path],
                writable=[] if self.sandbox else [writable],
                hidden=[*self.private, *([] if self.trusted else ready_made())],
                scratch=writable, scratch_mib=self.limits.scratch_mib, gpu=gpu, users=True, filter_=filter_,
            )  # fmt: skip
            return subprocess.Popen(
                command, cwd=code, env=env, pass_fds=[*files, *filter_], stdin=subprocess.DEVNULL,
                start_new_session=not self.fork,
            )  # fmt: skip

    def spawn(self, folder: Path, device: str, *, threads: int, warm: bool = False) -> Process:
        """A worker for the clean tree in `folder`, which is in `home`; ready to train, if it is to be `warm`."""
        scratch = SCRATCH
        if not self.sandbox:
            scratch = folder / "scratch"
            scratch.mkdir()
        request = {
            "folder": str(folder), "scratch": str(scratch), "device": device, "threads": threads,
            "trusted": self.trusted, "user": self.user, "limits": asdict(self.limits), "running": tasks_of_user(),
            "warm": warm, "landlock": self.sandbox.landlock if self.fork else 0,
            "folders": landlock.all_but_processes() if self.sandbox.landlock else [],
            "filtered": self.sandbox.filtered and not self.sandbox,
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        try:
            end = self._fork(request, theirs, write) if self.fork else self._spawn(request, theirs, write)
        except BaseException:
            ours.close()
            os.close(read)
            raise
        finally:
            theirs.close()
            os.close(write)
        os.set_blocking(read, False)
        try:
            self._wait_until_ready(ours, read)
        except BaseException:
            ours.close()
            end()
            os.close(read)
            raise
        ours.setblocking(False)
        return Process(ours, read, end, warm)

    @staticmethod
    def _wait_until_ready(ours: socket.socket, output: int) -> None:
        """A worker that can't start is our fault or the machine's: it has not yet looked at the submission."""
        ours.settimeout(PATIENCE)
        try:
            ready = ours.recv(1) == b"1"
        except OSError:
            ready = False
        if not ready:
            said = b""
            with contextlib.suppress(BlockingIOError):
                said = os.read(output, 1 << 16)
            lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise GraderFault(f"a worker did not start: {lines[-1]}")

    def _fork(self, request: dict[str, Any], theirs: socket.socket, write: int) -> Callable[[], Ending]:
        if self.process is None:
            self._open()
        try:
            pid = self._ask(request, [theirs.fileno(), write])["pid"]
        except OSError:  # without a sandbox, a submission can kill its parent: start a new one
            self._close_process()
            self._open()
            pid = self._ask(request, [theirs.fileno(), write])["pid"]

        def end() -> Ending:
            try:
                answer = self._ask({"end": pid})
            except OSError:  # died with its fork server, or is about to
                self._close_process()
                return Ending()
            if answer["used"]:  # what one submission left in the sandbox must not reach the next
                self._close_process()
            return Ending(answer["status"], answer["killed"])

        return end

    def _ask(self, request: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        if self.process is None:
            raise ConnectionError("the fork server of the workers is gone")
        self.process.send_signal(signal.SIGCONT)  # without a sandbox, a submission can stop its parent
        socket.send_fds(self.control, [json.dumps(request).encode()], files)
        data = self.control.recv(1 << 16)
        if not data:
            raise ConnectionError("the fork server of the workers has died")
        return json.loads(data)

    def _spawn(self, request: dict[str, Any], theirs: socket.socket, write: int) -> Callable[[], Ending]:
        process = self._start(
            ["--serve", str(theirs.fileno()), str(write), json.dumps(request)], theirs.fileno(), write,
            writable=Path(request["scratch"]), gpu=request["device"].startswith("cuda"),
        )  # fmt: skip

        def end() -> Ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
            killed = process.returncode is None
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            if self.sandbox and code > 128:  # how bubblewrap and shells report a signal
                code = 128 - code
            return Ending(-code if code < 0 else code << 8, killed)

        return end

    def _close_process(self) -> None:
        if self.process is not None:
            self.process.kill()  # it may be in the middle of an import, and no worker is left to end
            self.process.wait()
            with contextlib.suppress(OSError):
                while self.control.recv(1 << 16):  # until the process inside bubblewrap has ended, too
                    pass
            self.control.close()
            self.process = None

    def close(self) -> None:
        self._close_process()
        self.home.close()
        self.code.close()
