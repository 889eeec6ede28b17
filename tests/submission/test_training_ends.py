"""A training before grading ends with its judge."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.worker.processes import descendants
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support.asking import WALLS
from tests.support.everything import left_to

DIGITS = ROOT / "configs" / "digits.yaml"


@pytest.mark.parametrize(
    "kind", ["auto", *(pytest.param(*wall.values, marks=[*wall.marks, left_to("attacks")]) for wall in WALLS),
             pytest.param("none", marks=left_to("attacks"))],
)  # fmt: skip
def test_a_training_ends_with_its_judge(kind, tmp_path):
    source = (BANK / "trained" / "unet.py").read_text()
    (tmp_path / "handed in").mkdir()
    (tmp_path / "handed in" / "model.py").write_text(source)
    judge = subprocess.Popen(
        [sys.executable, "-m", "grader", tmp_path / "handed in", "--train", "--level", "2", "--config", DIGITS,
         "--sandbox", kind, "--output", tmp_path / "out", "runtime.device=cpu", "training.epochs=1000"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    running: list[int] = []
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("out/trainings/*/digits-student/config.yaml")):
            assert judge.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        below = descendants(set(), of=judge.pid)
        assert below
        judge.kill()
        judge.wait()
        deadline = time.monotonic() + 5
        while running := [pid for pid in below if is_running(pid)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        judge.kill()
        for pid in running:
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
