"""The student's code as the judge sees it: another process, which answers probes or fails in a known way."""

import os
import secrets
import selectors
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from grader.errors import GraderFault, NotImplementedYet, OutOfMemory, Raised, SubmissionFailed, TimedOut
from grader.results import UNWRITTEN
from grader.submission.answers import check_answer, check_question
from grader.submission.fork_server import Ending, ForkServer, Process
from grader.submission.given_code import lay_out
from grader.submission.sources import FILES, read_sources
from grader.submission.temporary_folder import remove
from grader.worker import wire

OUTPUT_LIMIT = 64 << 10  # bytes of a request's output that are kept
WORDLESS = {"BdbQuit": "breakpoint() found no debugger", "AssertionError": "an assert of yours does not hold"}
MAX_TEXT, FRAMES = 2000, 100  # characters of a text in an error report, and frames of its traceback


@dataclass
class Reply:
    values: dict[str, Any]
    tensors: dict[str, Tensor]


Answer = Callable[[dict[str, Any], dict[str, Tensor]], Tensor]


class AnySubmission(Protocol):
    """As the checks see one: in a process of its own, or in the judge's (in_process.py)."""

    path: Path
    device: str
    trusted: bool
    sources: dict[str, bytes]

    def request(
        self, probe: str, *, seconds: float, tensors: dict[str, Tensor] | None = None, answer: Answer | None = None,
        **arguments: Any,
    ) -> Reply: ...  # fmt: skip

    def warm_up(self) -> None: ...

    def take_printed(self) -> str: ...

    def stop(self) -> object: ...

    def close(self) -> None: ...


class Submission:
    """A folder's model.py and sampler.py, copied beside pristine given code, behind a process boundary.

    A worker starts with the first request. One that died or was killed is replaced at the next request; the networks
    built in it are gone, so each check builds its own.
    """

    def __init__(self, path: Path, fork_server: ForkServer, *, device: str) -> None:
        self.path, self.fork_server, self.device, self.trusted = path, fork_server, device, fork_server.trusted
        # read once: a submission can't be changed while it is judged
        self.sources = read_sources(path)
        self.folder: Path  # of the running worker
        self.process: Process | None = None
        self.requests = 0
        self.warm = False
        self.printed = ""

    @property
    def worker(self) -> Process:
        """The process, while there is one."""
        assert self.process is not None, "no worker is under way"
        return self.process

    def take_printed(self) -> str:
        """The student's output since the last call, cut at 64 KiB."""
        printed, self.printed = self.printed, ""
        return printed

    def warm_up(self) -> None:
        """From now on, workers have imported what torch needs for training, which takes seconds: see Process.warm."""
        self.warm = True
        if self.process is not None and not self.process.warm:
            self.stop()

    def request(
        self, probe: str, *, seconds: float, tensors: dict[str, Tensor] | None = None, answer: Answer | None = None,
        **arguments: Any,
    ) -> Reply:  # fmt: skip
        """Run a probe in the worker. Raises SubmissionFailed if no valid answer comes within `seconds`."""
        if self.process is None:
            # a new folder, so that nothing an earlier worker wrote is in it
            self.folder = Path(tempfile.mkdtemp(prefix="submission-", dir=self.fork_server.home.path))
            lay_out(self.sources, self.folder)
            threads = torch.get_num_threads()
            try:
                self.process = self.fork_server.spawn(self.folder, self.device, threads=threads, warm=self.warm)
            except BaseException:
                remove(self.folder)
                raise
        self.process.printed.clear()
        try:
            return self._converse(probe, seconds, tensors or {}, answer, arguments)
        except (wire.WireError, ConnectionError, EOFError) as error:
            raise self._ended(error) from error
        except BaseException as error:
            if not isinstance(error, SubmissionFailed) or isinstance(error, TimedOut):
                self.stop()  # also when the judge is interrupted or fails: half a conversation can't be resumed
            raise

    def _converse(
        self, probe: str, seconds: float, tensors: dict[str, Tensor], answer: Answer | None, arguments: dict[str, Any]
    ) -> Reply:
        deadline = time.monotonic() + seconds
        self.requests += 1
        name = f"{self.requests}-{secrets.token_hex(8)}"  # so an answer to another request is recognised
        request = wire.pack({"id": name, "probe": probe, "arguments": arguments}, tensors)
        self._send(request, deadline, probe, seconds)
        while True:
            head = self._receive(wire.PREFIX.size, deadline, probe, seconds)
            sizes = wire.lengths(head)
            values, back = wire.unpack(*(self._receive(size, deadline, probe, seconds) for size in sizes))
            if values.get("id") != name:
                raise wire.WireError("an answer to another request")
            if "ask" in values and answer is not None:
                check_question(values["ask"], back)
                eps = answer(values["ask"], back)
                if time.monotonic() >= deadline:  # a worker that keeps asking must not outlive its deadline
                    raise TimedOut(f"no answer within {seconds:.0f} s ({probe})")
                self._send(wire.pack({}, {"eps": eps}), deadline, probe, seconds)
                continue
            self._drain()
            output = self.worker.printed.decode(errors="replace")
            self.printed = (self.printed + output)[:OUTPUT_LIMIT]
            if "error" in values:
                raise failure(values["error"], output, trusted=self.trusted)
            check_answer(probe, values.get("values"), back)
            return Reply(values["values"], back)

    def _wait(self, event: int, deadline: float, probe: str, seconds: float) -> None:
        """Wait until the socket is ready; meanwhile read the output, as a full pipe would block the worker.

        Past the deadline nothing is ready: a worker may send its answer byte by byte.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self.worker.sock, event)
            selector.register(self.worker.output, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(max(0, deadline - time.monotonic()))}
                if self.worker.output in ready and not self._drain():
                    selector.unregister(self.worker.output)  # closed by the worker
                if self.worker.sock.fileno() in ready and time.monotonic() < deadline:
                    return
                if time.monotonic() >= deadline:
                    output = self.worker.printed.decode(errors="replace")
                    raise TimedOut(f"no answer within {seconds:.0f} s ({probe})", output=output)

    def _drain(self) -> bool:
        """Read what was printed, keep the first 64 KiB; False once the pipe is closed."""
        for _ in range(64):  # not forever: a submission may print faster than we read
            try:
                data = os.read(self.worker.output, 1 << 16)
            except BlockingIOError:
                return True
            self.worker.printed += data[: max(0, OUTPUT_LIMIT - len(self.worker.printed))]
            if not data:
                return False
        return True

    def _send(self, data: bytes, deadline: float, *about: Any) -> None:
        view = memoryview(data)
        while view:
            self._wait(selectors.EVENT_WRITE, deadline, *about)
            view = view[self.worker.sock.send(view[: 1 << 20]) :]

    def _receive(self, count: int, deadline: float, *about: Any) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._wait(selectors.EVENT_READ, deadline, *about)
            part = self.worker.sock.recv(min(count - len(data), 1 << 20))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _ended(self, error: Exception) -> SubmissionFailed:
        """The worker died or sent nonsense: the failure that describes it."""
        if isinstance(error, wire.WireError):
            self.stop()
            return Raised(f"the submission's process sent {error}")
        self._drain()
        output = self.worker.printed.decode(errors="replace")
        ending = self.stop()
        if ending.killed:
            return Raised("the submission's process closed its line to the grader", output=output)
        if os.WIFSIGNALED(ending.status):
            number = os.WTERMSIG(ending.status)
            if number == signal.SIGKILL:
                return OutOfMemory("the submission's process was killed, most likely for want of memory", output=output)
            known = {s.value: s.name for s in signal.Signals}
            return Raised(f"the submission's process crashed ({known.get(number, f'signal {number}')})", output=output)
        code = os.WEXITSTATUS(ending.status)
        return Raised(f"the submission ended its process (exit code {code})", output=output)

    def stop(self) -> Ending:
        """End the worker and everything that belongs to it; returns how it ended."""
        if self.process is None:
            return Ending()
        process, self.process = self.process, None
        process.sock.close()
        os.close(process.output)
        ending = process.end()
        remove(self.folder)
        return ending

    def close(self) -> None:
        self.stop()


def failure(error: Any, output: str, *, trusted: bool) -> SubmissionFailed:
    """The worker's report of an exception → the judge's own exception. Trusts none of the types in it."""
    try:
        kind, name, message = (str(error[k])[:MAX_TEXT] for k in ("kind", "type", "message"))
        frames = [
            (str(file)[:MAX_TEXT], int(line or 0), str(code)[:MAX_TEXT])
            for file, line, code in error["frames"][:FRAMES]
        ]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as forged:
        raise wire.WireError("an error report that can't be read") from forged
    own = [(file, line) for file, line, _ in frames if file in FILES]
    location = f"{own[-1][0]}:{own[-1][1]}" if own else ""
    trace = "\n".join(f"  {file}:{line}: {code}" for file, line, code in frames)
    first_line = message.strip().splitlines()[0][:300] if message.strip() else ""
    about = {"location": location, "trace": trace, "output": output}
    if kind == "grader" and trusted:  # from an untrusted process it proves nothing
        raise GraderFault(f"{name}: {message}")
    if kind == "contract":
        return Raised(message, **about)
    if kind == "not_implemented":
        return NotImplementedYet(f"{UNWRITTEN}{location}: {message}", location=location, output=output)
    if kind == "out_of_memory":
        return OutOfMemory(f"out of memory: {first_line}", **about)
    first_line = first_line or WORDLESS.get(name, "")
    return Raised(f"{name}: {first_line}" if first_line else name, **about)
