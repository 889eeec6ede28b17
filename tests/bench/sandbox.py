"""The cost of the sandbox: from nothing to a built network, with it and without, in turn in one run.

    uv run python -m tests.bench.sandbox

Writes tests/bench/results/sandbox.json.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch

from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission
from grader.submission.sandbox import find_sandbox
from tests.bench.results import write
from tests.proof.bank import BANK

ROUNDS = 15
CONFIG = {"image_channels": 1, "image_size": 8, "num_timesteps": 1000}


def build(submission: Submission) -> None:
    submission.request("build", seconds=60, name="network", config=CONFIG, seed=0)


def once(folder: Path, kind: str) -> dict[str, float]:
    """Seconds for a first worker, everything included, and for the next one."""
    find_sandbox.cache_clear()  # a command line has to find it, too
    start = time.perf_counter()
    fork_server = ForkServer(fork=True, sandbox=find_sandbox(kind))
    try:
        submission = Submission(folder, fork_server, device="cpu")
        build(submission)
        submission.stop()
        first = time.perf_counter() - start
        start = time.perf_counter()
        build(submission)
        submission.stop()
        return {"first_worker": first, "next_worker": time.perf_counter() - start}
    finally:
        fork_server.close()


def main() -> None:
    torch.set_num_threads(1)
    rounds: dict[str, list[dict[str, float]]] = {"required": [], "none": []}
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(BANK / "right" / "networks" / "residual_convnet.py", Path(name) / "model.py")
        once(Path(name), "none")  # warms the disk's cache
        for k in range(ROUNDS):
            for kind in ("required", "none") if k % 2 else ("none", "required"):
                rounds[kind].append(once(Path(name), kind))
    figures: dict[str, object] = {"rounds": ROUNDS, "bubblewrap": str(find_sandbox("required"))}
    for what in ("first_worker", "next_worker"):
        median = {kind: statistics.median(row[what] for row in rows) for kind, rows in rounds.items()}
        pairs = zip(rounds["required"], rounds["none"], strict=True)
        extra = statistics.median(a[what] - b[what] for a, b in pairs)
        figures[what] = {"sandbox": median["required"], "plain": median["none"], "extra": extra}
        print(f"{what}: {median['required']:.3f} s with, {median['none']:.3f} s without, {1000 * extra:.0f} ms more")
    write("sandbox.json", torch.device("cpu"), figures)


if __name__ == "__main__":
    main()
