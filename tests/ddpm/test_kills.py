"""A training killed with SIGKILL and resumed is the same to the last bit. Twenty kills: python -m tests.proof.kills."""

import signal
import time

import pytest

from assignment.ddpm import invocation
from tests.proof.kills import kill_and_compare


@pytest.mark.timeout(900)  # five whole processes, each of which imports torch
def test_kill_9_at_random_moments(tmp_path):
    assert kill_and_compare(tmp_path, kills=3, seed=time.time_ns()) >= 1


def test_ctrl_c_says_how_to_go_on(tree, monkeypatch):
    monkeypatch.setattr(invocation, "uses_uv", lambda: False)  # the tree has no environment of its own
    args = ("training.epochs=1000", "training.checkpoint_minutes=0")
    process = tree.start(*args)
    while process.poll() is None and not (tree.run_dir / "checkpoint.pt").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    last = err.strip().splitlines()[-1]
    expected = ["--config", "configs/digits.yaml", *tree.QUICK, *args, "training.resume=true"]
    assert last == f"interrupted; resume with: {invocation.python()} main.py {' '.join(expected)}"
