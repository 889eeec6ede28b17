"""How much of the machine a worker may use, and what a killed judge leaves."""

import os
import sys

import pytest
import torch

from assignment.ddpm.errors import UserError
from grader.errors import OutOfMemory
from grader.grading_config import load_grading
from grader.submission.fork_server import ForkServer
from grader.submission.sandbox import find_sandbox
from grader.submission.temporary_folder import TemporaryFolder
from grader.worker import limits
from grader.worker.limits import MIB, Limits
from tests.conftest import ROOT
from tests.support.asking import WALLS, asked


@pytest.mark.skipif(sys.platform != "linux", reason="macOS knows fewer limits")
@pytest.mark.parametrize("kind", [*WALLS, "none"])
def test_limits_hold(kind, tmp_path):
    limits = Limits(memory_gib=1, processes=40, file_mib=1, scratch_mib=4)
    fork_server = ForkServer(fork=True, sandbox=find_sandbox(kind), limits=limits)
    try:
        with pytest.raises(OutOfMemory, match="out of memory"):
            asked(tmp_path, "kept = [bytearray(1 << 28) for _ in range(8)]\nfound = 1", fork_server)
        write = "try:\n    open('large', 'wb').write(bytes(2 << 20))\n    found = 1\nexcept OSError as error:\n"
        assert "File too large" in asked(tmp_path, f"{write}    found = str(error)", fork_server)
        if kind == "required" or os.getuid() != 0:  # root is limited only by becoming another user
            count = """
import threading, time
found = 0
try:
    for found in range(3000):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
except RuntimeError:
    pass"""
            assert 0 < asked(tmp_path, count, fork_server) < 3000
        code = "import resource\nfound = resource.getrlimit(resource.RLIMIT_CORE)"
        assert asked(tmp_path, code, fork_server) == [0, 0]
        if kind == "required" or os.getuid() != 0:
            code = (
                "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n    found = 'raised'\n"
            )
            code += "except (ValueError, OSError):\n    found = 'held'"
            assert asked(tmp_path, code, fork_server) == "held"
    finally:
        fork_server.close()


@pytest.mark.parametrize(("device", "index"), [("cuda", 0), ("cuda:1", 1)])
def test_the_memory_of_a_gpu_is_limited_by_its_number(device, index, monkeypatch):
    """torch accepts no device without a number here; on the first real GPU no worker started."""
    limited = {}
    monkeypatch.setattr(limits, "_set", lambda what, most: None)
    monkeypatch.setattr(limits.Path, "write_text", lambda *args: None)  # this process must not be killed first
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, which: limited.update({which: share})
    )
    limits.apply(Limits(), 0, device)
    assert limited == {index: limits.GPU_SHARE} and type(next(iter(limited))) is int


def test_limits_are_read_from_grading_yaml(tmp_path):
    assert load_grading().limits.memory_gib * 1024 * MIB >= 8 << 30
    text = (ROOT / "configs" / "grading.yaml").read_text()
    for wrong in ("memory_gib: 0", "memory_gib: lots", "memory: 16"):
        (tmp_path / "grading.yaml").write_text(text.replace("memory_gib: 16", wrong))
        with pytest.raises(UserError):
            load_grading(tmp_path / "grading.yaml")


def test_what_a_killed_judge_left_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = TemporaryFolder()
    abandoned = tmp_path / "grading-abandoned"
    (abandoned / "deep").mkdir(parents=True)
    (abandoned / ".lock").touch()
    (abandoned / "deep").chmod(0)
    TemporaryFolder().close()
    assert not abandoned.exists() and living.path.exists()
    living.close()
    assert list(tmp_path.iterdir()) == []
