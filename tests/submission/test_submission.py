"""The process boundary: whatever a submission does, the judge gets an answer or a known failure, and continues."""

import copy
import os
import time
from pathlib import Path

import pytest
import torch

from grader.errors import GraderFault, NotImplementedYet, OutOfMemory, Raised, TimedOut
from grader.submission.process import OUTPUT_LIMIT, ForkServer, Submission
from grader.suite.shared_fork_server import shared_fork_server
from grader.worker import wire
from grader.worker.adam import Adam
from tests.conftest import ROOT

CONFIG = {"image_channels": 1, "image_size": 8, "num_timesteps": 1000}
RIGHT = (ROOT / "tests" / "support" / "networks.py").read_text()


@pytest.fixture
def submit(tmp_path):
    """Makes a submission from the source of model.py; its worker ends with the test."""
    made = []

    def submit(source: str | bytes, fork_server: ForkServer | None = None) -> Submission:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        (folder / "model.py").write_bytes(source if isinstance(source, bytes) else source.encode())
        server = fork_server or shared_fork_server(fork=os.uname().sysname == "Linux")
        made.append(Submission(folder, server, device="cpu"))
        return made[-1]

    yield submit
    for submission in made:
        submission.close()


def build(submission: Submission, seconds: float = 30.0):
    return submission.request("build", seconds=seconds, name="network", config=CONFIG, seed=0)


def test_an_answer_crosses(submit):
    submission = submit(RIGHT)
    assert sum(count for _, count, _ in build(submission).values["parameters"]) > 1000
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 5, 999])
    reply = submission.request("forward", seconds=30, name="network", tensors={"x": x, "t": t})
    assert reply.tensors["y"].shape == x.shape and torch.equal(reply.tensors["x"], x)


def test_without_a_fork_too(submit):
    fork_server = ForkServer(fork=False)
    assert build(submit(RIGHT, fork_server)).values["parameters"]
    with pytest.raises(Raised, match="exit code 7"):
        build(submit("import os; os._exit(7)", fork_server))


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("x = 1\nraise ValueError('no')", Raised, "ValueError: no"),
        ("def f(:", Raised, "SyntaxError: invalid syntax"),
        (b"\xff\xfe\x00", Raised, "SyntaxError"),
        ("", Raised, "model.py defines no class DiffusionModel"),
        ("class DiffusionModel:\n    pass", Raised, "can't be called as the contract says"),
        ("class DiffusionModel:\n    def __init__(self, config): pass", Raised, "not a torch.nn.Module"),
        ("import os; os._exit(0)", Raised, r"ended its process \(exit code 0\)"),
        ("import sys; sys.exit(0)", Raised, "SystemExit: 0"),
        ("raise KeyboardInterrupt", Raised, "KeyboardInterrupt"),
        ("import ctypes; ctypes.string_at(0)", Raised, r"crashed \(SIGSEGV\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", OutOfMemory, "killed"),
        ("raise MemoryError", OutOfMemory, "out of memory"),
        ("import torch; torch.empty(1 << 60)", OutOfMemory, "out of memory"),
        ("def f(x):\n    raise NotImplementedError('later')\nf(1)", NotImplementedYet, "model.py:2: later"),
        ("import diffusers", Raised, "your own work"),
        ("import torch; torch.load('weights.pt')", Raised, "no weights may be read"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", Raised, "no network"),
        ("from grader.checks import finding", Raised, "your own work"),
    ],
)
def test_what_goes_wrong_at_import_is_told(submit, source, kind, says):
    submission = submit(source)
    with pytest.raises(kind, match=says):
        build(submission)


def test_a_hung_submission_is_cut_off_with_all_its_children_and_the_next_request_gets_a_new_worker(submit, tmp_path):
    mark = tmp_path / "child"
    source = f"""
import subprocess, time
from pathlib import Path
if not Path({str(mark)!r}).exists():
    child = subprocess.Popen(["sleep", "1000"])
    Path({str(mark)!r}).write_text(str(child.pid))
    while True:
        time.sleep(1)
{RIGHT}"""
    # without a sandbox, which would hide the child from us
    submission = submit(source, shared_fork_server(fork=os.uname().sysname == "Linux", sandbox="none"))
    start = time.monotonic()
    with pytest.raises(TimedOut, match="no answer within 1 s"):
        build(submission, seconds=1)
    assert time.monotonic() - start < 10
    child = int(mark.read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()
    assert build(submission).values["parameters"]


def test_the_traceback_is_the_students_own_lines(submit):
    submission = submit("""
def helper():
    return 1 / 0

class DiffusionModel:
    def __init__(self, config):
        helper()
""")
    with pytest.raises(Raised) as caught:
        build(submission)
    assert caught.value.location == "model.py:3"
    assert [line.split(":")[:2] for line in caught.value.trace.splitlines()] == [
        ["  model.py", "7"],
        ["  model.py", "3"],
    ]


def test_prints_are_kept_up_to_a_limit_and_block_nothing(submit):
    submission = submit(f"import sys\nprint('x' * 50_000_000)\nprint('late', file=sys.stderr)\n{RIGHT}")
    build(submission)
    printed = submission.take_printed()
    assert len(printed) == OUTPUT_LIMIT and set(printed) == {"x"}
    assert submission.take_printed() == ""


def test_only_the_two_files_are_taken(submit, tmp_path):
    submission = submit("import helper")
    for name in ("helper.py", "conftest.py", "sitecustomize.py"):
        (submission.path / name).write_text("")
    with pytest.raises(Raised, match="No module named 'helper'"):
        build(submission)


def test_a_symlink_is_no_submission(submit, tmp_path):
    target = tmp_path / "elsewhere.py"
    target.write_text(RIGHT)
    submission = submit("")
    (submission.path / "model.py").unlink()
    (submission.path / "model.py").symlink_to(target)
    again = Submission(submission.path, submission.fork_server, device="cpu")
    with pytest.raises(Raised, match=r"No module named 'assignment\.model'"):
        build(again)
    again.close()


@pytest.mark.parametrize(
    "data",
    [
        wire.PREFIX.pack(1 << 40, 0),
        wire.PREFIX.pack(4, 0) + b"null",
        wire.PREFIX.pack(2, 8) + b"{}" + b"\0" * 8,
        wire.PREFIX.pack(1, 0) + b"{",
        wire.PREFIX.pack(2, 0) + b"{}",
        wire.pack({"error": {"kind": 1}}, {}),
        wire.pack({"values": [1]}, {}),
        wire.pack({"ask": {}}, {}),
    ],
)
def test_a_forged_message_is_refused(submit, data):
    submission = submit(f"""
import copy
import os
for fd in range(3, 64):
    try:
        os.write(fd, {data!r})
    except OSError:
        pass
{RIGHT}""")
    with pytest.raises(Raised):
        build(submission)


def test_a_fault_of_a_probe_is_not_the_students(submit):
    fork_server = shared_fork_server(fork=os.uname().sysname == "Linux", trusted=True)
    trusted = Submission(ROOT / "reference", fork_server, device="cpu")
    with pytest.raises(GraderFault, match="KeyError"):
        trusted.request("forward", seconds=30, name="never built", tensors={})
    trusted.close()


def networks_for_adam(dtype: torch.dtype, memory_format: torch.memory_format) -> list[torch.nn.Module]:
    """Two of the same weights, one of which gets no gradient."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 7, 3), torch.nn.Tanh(), torch.nn.Conv2d(7, 2, 1))
    network.unused = torch.nn.Linear(2, 2)
    networks = [network.to(dtype=dtype, memory_format=memory_format), copy.deepcopy(network)]
    networks[0][0].bias = torch.nn.Parameter(networks[0][0].bias.detach().repeat_interleave(2)[::2])  # not in a row
    return networks


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_adam_is_torchs_adam(dtype, memory_format):
    torch.manual_seed(0)
    ours, theirs = networks_for_adam(dtype, memory_format)
    mine, reference = Adam(list(ours.parameters()), lr=0.01), torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(20):
        x = torch.randn(4, 3, 5, 5, dtype=dtype)
        for network, optimizer in ((ours, mine), (theirs, reference)):
            network.zero_grad()
            network[:3](x).square().sum().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_adam_of_complex_weights_is_torchs_adam():
    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(4, 3, dtype=torch.cfloat))
    theirs = torch.nn.Parameter(ours.detach().clone())
    mine, reference = Adam([ours], lr=0.01), torch.optim.Adam([theirs], lr=0.01)
    for _ in range(20):
        x = torch.randn(3, dtype=torch.cfloat)
        for weights, optimizer in ((ours, mine), (theirs, reference)):
            weights.grad = None
            ((weights @ x).abs() - 1).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)
    mine.keep()
    before = ours.detach().clone()
    ours.data.fill_(7.0)
    mine.put_back()
    assert ours.equal(before)


def test_adam_takes_back_what_was_written_into_the_weights():
    layer = torch.nn.Linear(3, 2)
    before, optimizer = layer.weight.detach().clone(), Adam(list(layer.parameters()), lr=0.01)
    optimizer.keep()
    layer.weight.data.fill_(7.0)
    optimizer.put_back()
    assert layer.weight.equal(before)
