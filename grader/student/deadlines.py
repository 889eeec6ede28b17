"""Deadlines from the reference's own time on this machine, so that slow hardware is never the student's failure."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from assignment.ddpm.config import Config
from assignment.ddpm.measured_once import measured_once
from grader import ROOT
from grader.errors import GraderFault, SubmissionFailed, TimedOut
from grader.student.budget import TimeBudget
from grader.submission.fork_server import ForkServer
from grader.submission.process import AnySubmission, Reply, Submission

FACTOR = 25  # how many times slower than the reference a network may be
IMPLAUSIBLE = 60.0  # seconds for one image; a slower machine is not plausible
PATIENCE = 600.0  # for the reference itself
SLOWEST = 20.0  # times: a machine busier than that is not waited for


@dataclass(frozen=True)
class Pace:
    """Seconds of the reference: a forward pass and a training step per image, one call of the model in sampling."""

    forward: float
    step: float
    sampling: float


UNHURRIED = Pace(forward=1e6, step=1e6, sampling=1e6)  # for a debugger


@dataclass(frozen=True)
class Deadlines:
    """How long a submission may take: FACTOR times as long as the reference, or what is left of its budget, if more."""

    pace: Pace
    budget: TimeBudget

    def granted(self, seconds: float) -> float:
        """What the submission has for work that takes the reference so long, by its pace."""
        return FACTOR * seconds * self.budget.slowdown

    def ask(self, submission: AnySubmission, probe: str, seconds: float = 0.0, **arguments: Any) -> Reply:
        """Send a request that ends in time.

        Args:
            seconds: that the reference would take, by its pace
        Raises:
            SubmissionFailed: as `Submission.request`; TimedOut also if the budget was used up before
        """
        granted = self.granted(seconds)
        left = self.budget.left()
        if not left:
            limits = self.budget.time
            raise TimedOut(
                f"no time left ({probe}): beyond {FACTOR} times the reference's own time, a check has "
                f"{limits.check:g} s and a submission {limits.submission:g} s, which earlier requests have used"
            )
        start = time.monotonic()
        try:
            return submission.request(probe, seconds=max(granted, left), **arguments)
        finally:
            self.budget.spend(time.monotonic() - start - granted)


def measure(config: Config, fork_server: ForkServer, device: str, choose: Callable[[list[float]], float] = min) -> Pace:
    """Time the reference in the same worker, with the same probes as a submission: three times after a warm-up.

    Args:
        choose: the shortest of the three is stored, as the machine may be busy for a moment
    """
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
        forwards, steps, samplings = (choose(_three_times(work)) for work in (forward, step, sample))
        return Pace(forwards / 8, steps / 8, samplings / 50)
    except SubmissionFailed as failed:
        raise GraderFault(f"the reference does not run: {failed.message}") from failed
    finally:
        reference.close()


def _three_times(work: Callable[[], object]) -> list[float]:
    """Seconds of each, after a warm-up."""
    work()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def slowdown(before: Pace, config: Config, fork_server: ForkServer, device: str) -> float:
    """How many times as long as `before` the reference takes now, in its slowest respect; at least 1."""
    now = asdict(measure(config, fork_server, device, max))
    return min(SLOWEST, max(1.0, *(now[name] / seconds for name, seconds in asdict(before).items())))


def remembered(config: Config, fork_server: Callable[[], ForkServer], device: str) -> Pace:
    """Measured once per machine, network and version of torch, then read from the user's cache.

    Args:
        fork_server: makes the one to measure in, which allows the reference its ready-made network
    """

    def usable(kept: dict[str, Any]) -> bool:
        return all(0 < seconds < IMPLAUSIBLE for seconds in asdict(Pace(**kept)).values())

    about = asdict(config.model), device
    return Pace(**measured_once("pace", about, lambda: asdict(measure(config, fork_server(), device)), usable))
