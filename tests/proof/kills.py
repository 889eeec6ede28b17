"""Kill a training at random moments, resume it each time, and compare it with an undisturbed one.

    uv run python -m tests.proof.kills 20

Each process is killed with SIGKILL, which can't be caught. Loss curves and saved weights must be identical to the last
bit.
"""

import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import Tree, plant
from tests.support.running import read_log, same_weights

ARGS = ("training.epochs=25", "data.batch_size=16", "training.checkpoint_minutes=0.002")


def kill_and_compare(folder: Path, kills: int, seed: int) -> int:
    """Returns how many kills hit a running training; raises AssertionError if the curves differ."""
    whole, killed = plant(folder / "whole"), plant(folder / "killed")
    code, _, err = whole.run(*ARGS)
    assert code == 0, err

    chance, struck = random.Random(seed), 0
    for _ in range(kills):
        struck += _kill_once(killed, chance)
    code, _, err = killed.run(*ARGS, "training.resume=true")
    assert code == 0, err
    assert read_log(killed.run_dir) == read_log(whole.run_dir)
    assert same_weights(killed.run_dir, whole.run_dir)
    return struck


def _kill_once(tree: Tree, chance: random.Random) -> bool:
    """Start or resume, and kill within a second of the first step; True if the training was still running."""
    process = tree.start(*ARGS, "training.resume=true")
    checkpoint = tree.run_dir / "checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 1))
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


if __name__ == "__main__":
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        struck = kill_and_compare(Path(folder), kills, seed=int(time.time()))
    print(f"{struck} of {kills} kills struck a training under way; curves and weights are identical")
