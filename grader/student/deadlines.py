"""Deadlines from the reference's own time on this machine, so that slow hardware is never the student's failure."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from assignment.ddpm.config import Config
from assignment.ddpm.measured_once import measured_once
from grader import ROOT
from grader.errors import GraderFault, SubmissionFailed
from grader.submission.fork_server import ForkServer
from grader.submission.process import Submission

FACTOR = 25  # how many times slower than the reference a network may be
FLOOR = 20.0  # seconds allowed for any request: importing, building, a machine that is busy elsewhere
LONGEST = 60.0  # seconds for one image; a slower machine is not plausible
PATIENCE = 600.0  # for the reference itself


@dataclass(frozen=True)
class Pace:
    """Seconds of the reference: a forward pass and a training step per image, one call of the model in sampling."""

    forward: float
    step: float
    sampling: float

    def for_forward(self, images: int) -> float:
        return max(FLOOR, FACTOR * self.forward * images)

    def for_steps(self, images: int) -> float:
        return max(FLOOR, FACTOR * self.step * images)

    def for_sampling(self, calls: int) -> float:
        return max(FLOOR, FACTOR * self.sampling * calls)


UNHURRIED = Pace(forward=1e6, step=1e6, sampling=1e6)  # for a debugger


def measure(config: Config, fork_server: ForkServer, device: str) -> Pace:
    """Time the reference in the same worker, with the same probes as a submission."""
    m = config.model
    reference = Submission(ROOT / "reference", fork_server, device=device)
    try:
        reference.request("build", seconds=PATIENCE, name="network", config=asdict(m), seed=0)
        x = torch.randn(8, *m.image_shape)
        t = torch.arange(8) % m.num_timesteps
        batch = {"x_t": x[None], "t": t[None], "noise": x[None]}

        def forward() -> object:
            return reference.request("forward", seconds=PATIENCE, name="network", tensors={"x": x, "t": t})

        def step() -> object:
            return reference.request(
                "steps", seconds=PATIENCE, name="network", tensors=batch, seed=0, learning_rate=1e-3
            )

        def sample() -> object:
            return reference.request(
                "sample", seconds=PATIENCE, name="sampler", shape=[2, 1, 8, 8], seed=0,
                answer=lambda facts, tensors: torch.zeros(2, 1, 8, 8),
            )  # fmt: skip

        reference.request("build_sampler", seconds=PATIENCE, name="sampler", schedule=[50, 1e-4, 0.02])
        return Pace(_best_time(forward) / 8, _best_time(step) / 8, _best_time(sample) / 50)
    except SubmissionFailed as failed:
        raise GraderFault(f"the reference does not run: {failed.message}") from failed
    finally:
        reference.close()


def _best_time(work: Callable[[], object]) -> float:
    """The shortest of three after a warm-up: the machine may be busy for a moment, and the result is stored."""
    work()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def remembered(config: Config, fork_server: Callable[[], ForkServer], device: str) -> Pace:
    """Measured once per machine, network and version of torch, then read from the user's cache.

    Args:
        fork_server: makes the one to measure in, which allows the reference its ready-made network
    """

    def usable(kept: dict[str, Any]) -> bool:
        return all(0 < seconds < LONGEST for seconds in asdict(Pace(**kept)).values())

    about = asdict(config.model), device
    return Pace(**measured_once("pace", about, lambda: asdict(measure(config, fork_server(), device)), usable))
