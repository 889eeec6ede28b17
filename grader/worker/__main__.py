"""The other process: it alone imports a submission's files, and answers the judge's requests.

`python -m grader.worker` is a fork server: it imports torch once and forks a worker for each submission, which takes
milliseconds instead of seconds. Before the fork it uses no operator and no GPU. With --serve it is itself the worker,
for systems and devices that don't survive a fork.
"""

import argparse
import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import assignment.ddpm
from assignment.ddpm.device import is_out_of_memory
from grader.worker import limits, walled, wire
from grader.worker.confined import read_everything
from grader.worker.import_block import allow_only_own_work
from grader.worker.limits import Limits
from grader.worker.probes import PROBES
from grader.worker.processes import adopt_orphans, die_with_parent, end_leftovers, hide_memory, own_user, traces
from grader.worker.session import ContractError, Session, Tensors

# imported by the first backward pass and the first use of the meta device, which takes seconds: done while idle
WARM = ("sympy", "torch._dynamo")
IDLE_SECONDS = 2.0  # idle time before each import; a run of a few checks is over by then, and must not wait for one
STACK = 12  # frames of a student's traceback to show
CLEAN_FILES = ("assignment/model.py", "assignment/sampler.py")


class Line:
    """The worker's end of the socket; it blocks, as only the judge has deadlines."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.id = ""  # of the current request, repeated in every answer

    def send(self, head: dict[str, Any], tensors: Tensors) -> None:
        with contextlib.suppress(Exception):  # the submission may have closed them
            sys.stdout.flush()
            sys.stderr.flush()
        self.sock.sendall(wire.pack(head | {"id": self.id}, tensors))

    def receive(self) -> tuple[dict[str, Any], Tensors]:
        head, tensors = wire.lengths(self._exactly(wire.PREFIX.size))
        return wire.unpack(self._exactly(head), self._exactly(tensors))

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self.sock.recv(min(count - len(data), 1 << 20))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def ask(self, facts: dict[str, Any], tensors: Tensors) -> Tensor:
        """Let the judge answer in place of a sampler's model."""
        self.send({"ask": facts}, tensors)
        return self.receive()[1]["eps"]


def serve(sock: socket.socket, folder: Path, device: str) -> None:
    """Answer requests until the judge closes the connection."""
    line = Line(sock)
    session = Session(device, line.ask)
    while True:
        try:
            request, tensors = line.receive()
        except EOFError:
            return
        line.id = request["id"]
        try:
            values, back = PROBES[request["probe"]](session, tensors, **request["arguments"])
            line.send({"values": values}, back)
        except BaseException as error:  # SystemExit, KeyboardInterrupt, pytest's Skipped: all from the student
            line.send({"error": explain(error, folder)}, {})


def explain(error: BaseException, folder: Path) -> dict[str, Any]:
    """An exception as data: its kind, and the traceback from the student's first line to the last."""
    own = {str(folder / name): Path(name).name for name in CLEAN_FILES}
    frames = list(traceback.extract_tb(error.__traceback__))
    at = [i for i, frame in enumerate(frames) if frame.filename in own]
    shown = [(own.get(f.filename, f.filename), f.lineno, f.line) for f in frames[at[0] : at[-1] + 1]] if at else []
    if isinstance(error, SyntaxError) and error.filename in own:
        shown = [(own[error.filename], error.lineno, (error.text or "").strip())]
    if isinstance(error, ContractError):
        kind = "contract"
    elif isinstance(error, NotImplementedError) and shown and str(shown[-1][2]).startswith("raise NotImplementedError"):
        kind = "not_implemented"
    elif is_out_of_memory(error):
        kind = "out_of_memory"
    elif not shown and frames and Path(frames[-1].filename).parent == Path(__file__).parent:
        kind = "grader"  # a fault of a probe itself
    else:
        kind = "raised"
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return {"kind": kind, "type": type(error).__name__, "message": message[:2000], "frames": shown[-STACK:]}


def become_worker(output: int, request: dict[str, Any]) -> None:
    """Cut the worker off: the clean folder instead of the project, output into the judge's pipe, and the limits."""
    folder, scratch = Path(request["folder"]), request["scratch"]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, errors="replace") for n in (1, 2))
    os.chdir(scratch)
    os.environ |= {"HOME": scratch, "TMPDIR": scratch, "USER": "student", "TORCHINDUCTOR_CACHE_DIR": scratch}
    tempfile.tempdir = scratch  # as it is: trying it out would leave a trace
    root = Path(__file__).resolve().parents[2]
    sys.path[:] = [str(folder), *(p for p in sys.path if p and Path(p).resolve() != root)]
    sys.argv = [""]
    assignment.__path__[:] = [str(folder / "assignment")]
    assignment.ddpm.__path__[:] = [str(folder / "assignment" / "ddpm")]
    # TF32, a GPU's default for convolutions, rounds differently by batch size: by 1e-3, as much as some faults
    torch.backends.cudnn.allow_tf32 = False
    limits.apply(Limits(**request["limits"]), request["running"], request["device"])
    own_user(request["user"])
    die_with_parent()  # again, as changing the user resets it
    walled.keep_apart(Path(scratch), request["landlock"], request["folders"], filtered=request["filtered"])
    if not request["trusted"]:
        allow_only_own_work()


def is_asked(control: socket.socket) -> bool:
    """Whether the judge sends a request, now or within IDLE_SECONDS."""
    return bool(select.select([control], [], [], IDLE_SECONDS)[0])


def end(pid: int, workers: dict[int, object]) -> dict[str, Any]:
    """Wait a moment for a worker, then kill it, its group, and whatever it left behind; returns how it ended.

    `workers` has what each found: `used` says that the next one would find something else.
    """
    for _ in range(10):  # if it is ending anyway, its own status says how
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already; macOS raises the latter
        os.killpg(pid, signal.SIGKILL)
    if not ended:
        status = os.waitpid(pid, 0)[1]
    found = workers.pop(pid)
    end_leftovers(set(workers))
    return {"status": status, "killed": not ended, "used": traces() != found}


def fork_server(control: socket.socket) -> None:
    """Fork or end workers when the judge asks; end with the judge, and end all workers with it."""
    adopt_orphans()
    hide_memory()
    later = list(WARM)
    workers: dict[int, object] = {}
    while True:
        while later and not is_asked(control):
            importlib.import_module(later.pop(0))
        message, files, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            for pid in list(workers):
                end(pid, workers)
            return
        request = json.loads(message)
        while later and request.get("warm"):
            importlib.import_module(later.pop(0))
        if "end" in request:
            control.send(json.dumps(end(request["end"], workers)).encode())
            continue
        found = traces()
        pid = os.fork()
        if pid == 0:
            control.close()
            os.setsid()  # a group of its own, to be killed as one
            enter(socket.socket(fileno=files[0]), files[1], request)
        for file in files:
            os.close(file)
        workers[pid] = found
        control.send(json.dumps({"pid": pid}).encode())


def enter(sock: socket.socket, output: int, request: dict[str, Any]) -> None:
    """Be the worker, and never return from it."""
    code = 1
    try:
        torch.set_num_threads(request["threads"])
        become_worker(output, request)
        read_everything(request["folder"])
        sock.sendall(b"1")
        serve(sock, Path(request["folder"]), request["device"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)  # no atexit handlers: they could be the student's


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m grader.worker", description=__doc__.splitlines()[0])
    parser.add_argument("--control", type=int, help="the fork server's socket")
    parser.add_argument("--serve", nargs=3, metavar=("SOCKET", "OUTPUT", "REQUEST"), help="be a worker, without a fork")
    args = parser.parse_args()
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the judge handles Ctrl-C
    if args.serve:
        number, output, request = args.serve
        asked = json.loads(request)
        for module in WARM if asked["warm"] else ():
            importlib.import_module(module)
        enter(socket.socket(fileno=int(number)), int(output), asked)
    fork_server(socket.socket(fileno=args.control))


if __name__ == "__main__":
    main()
