"""Fixtures for level 5. A pytest plugin, registered by conftest.py; schedules and Drawn are level 4's."""

from typing import Protocol

import pytest
import torch

from grader.checks.ddim_step import Jump
from grader.checks.finding import NotJudged
from grader.checks.measure_step import inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.checks.telling_network import TellingNetwork
from grader.student.ddim_sampler import DDIMRecord, DDIMSampler
from grader.student.deadlines import Deadlines
from grader.student.once import Once
from grader.student.trace import Trace
from grader.submission.process import AnySubmission
from grader.submission.sources import begun_levels
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures_sampler import waiting_for
from grader.suite.judge import Judge

Jumps = tuple[list[Jump], list[Jump]]  # from inside inputs and from outside ones (measure_step.py)

PRECISE = 1 << 16  # scalars of a step that has to tell formulas apart
COVERING = 1 << 13  # … and of one that shows that p_sample is right at other t, t_prev and shapes, too
PAIRS = (2, 8)  # of timesteps, measured precisely and covering
OUTSIDE = 3.0  # standard deviation of eps there, so that it shows where its weight is small
NOT_BEGUN = "level 5 is optional, and DDIMSampler in sampler.py has not been begun"


class BuildDDIM(Protocol):
    def __call__(
        self, schedule: Schedule, steps: int, eta: float, *, name: str = "few", shares_with: str | None = None
    ) -> DDIMSampler: ...  # fmt: skip


@pytest.fixture(scope="session")
def ddim_record() -> DDIMRecord:
    """What was seen of DDIMSampler so far."""
    return DDIMRecord()


@pytest.fixture(scope="session")
def build_ddim(submission: AnySubmission, deadlines: Deadlines, ddim_record: DDIMRecord) -> BuildDDIM:
    if 5 not in begun_levels(submission.sources):
        raise NotJudged(NOT_BEGUN)

    def build(
        schedule: Schedule, steps: int, eta: float, *, name: str = "few", shares_with: str | None = None
    ) -> DDIMSampler:  # fmt: skip
        return DDIMSampler(
            submission, deadlines, schedule, record=ddim_record, steps=steps, eta=eta, name=name,
            shares_with=shares_with,
        )  # fmt: skip

    return build


@pytest.fixture(scope="session")
def ddim_sampling_kept(build_ddim: BuildDDIM, drawn: Drawn) -> Once[None]:
    """The minimum for checks of whole samplings: sample returns the requested shape."""

    def try_it() -> None:
        schedule = drawn.steep("few, minimum", 8, 12)
        network = TellingNetwork(schedule, drawn.number("few, minimum, eps"))
        shape = drawn.shape("few, minimum", 64, (2, 4))
        build_ddim(schedule, 4, 0.5).sample(network, shape, seed=drawn.number("few, minimum"))

    return Once(try_it)


@pytest.fixture(scope="session")
def ddim_step_kept(build_ddim: BuildDDIM, drawn: Drawn) -> Once[None]:
    """The minimum for checks of single steps: p_sample returns the shape of x_t."""

    def try_it() -> None:
        schedule, shape = drawn.steep("few, minimum"), drawn.shape("few, minimum", 64, (2, 4))
        generator = torch.Generator().manual_seed(drawn.number("few, minimum, x"))
        sampler = build_ddim(schedule, 4, 0.5)
        sampler.jump(7, 3, inside_inputs(schedule, 7, shape, generator), seed=drawn.number("few, minimum"))

    return Once(try_it)


@pytest.fixture
def few_steps(build_ddim: BuildDDIM, ddim_sampling_kept: Once[None], judge: Judge) -> BuildDDIM:
    """Builds samplers, if their `sample` returns the right shape."""
    waiting_for(ddim_sampling_kept, "sample", judge, level=5)
    return build_ddim


@pytest.fixture
def far_step(build_ddim: BuildDDIM, ddim_step_kept: Once[None], judge: Judge) -> BuildDDIM:
    """Builds samplers, if their `p_sample` returns the right shape."""
    waiting_for(ddim_step_kept, "p_sample", judge, level=5)
    return build_ddim


@pytest.fixture(scope="session")
def few(drawn: Drawn, long: Schedule) -> tuple[int, float]:
    """Steps and eta of the recorded sampling."""
    numbers = drawn.random("few")
    return min(numbers.randint(23, 41), long.T), round(numbers.uniform(0.4, 0.9), 3)


@pytest.fixture(scope="session")
def few_trace_once(build_ddim: BuildDDIM, long: Schedule, few: tuple[int, float], drawn: Drawn) -> Once[Trace]:
    def trace() -> Trace:
        shape = drawn.shape("few, trace", 4200, (9, 16), (2, 3, 4))
        network = TellingNetwork(long, drawn.number("few, trace, eps"))
        return build_ddim(long, *few).trace(network, shape, seed=drawn.number("few, trace"))

    return Once(trace)


@pytest.fixture
def few_trace(few_steps: BuildDDIM, few_trace_once: Once[Trace]) -> Trace:
    """One recorded sampling on the configuration's schedule; several checks use it."""
    return few_trace_once()


@pytest.fixture(scope="session")
def measured_jumps(build_ddim: BuildDDIM, long: Schedule, steep: Schedule, drawn: Drawn) -> Once[Jumps]:
    """Single steps on two schedules, with three etas: inside and outside inputs.

    A few are measured precisely, more of them coarsely, in other shapes; the pairs (t, t_prev) are drawn.
    """

    def measure() -> Jumps:
        inside: list[Jump] = []
        outside: list[Jump] = []
        for schedule in (long, steep):
            for eta in (0.0, drawn.eta("measured", schedule.T), 1.0):
                about = f"few {schedule.T} {eta}"
                sampler = build_ddim(schedule, drawn.random(about).randint(4, 9), eta, name=about)
                for k, (t, t_prev) in enumerate(drawn.pairs(about, schedule.T, sum(PAIRS))):
                    precise = k < PAIRS[0]
                    shape = drawn.shape(
                        f"{about} {k}", PRECISE if precise else COVERING, (20, 40) if precise else (1, 40)
                    )
                    generator = torch.Generator().manual_seed(drawn.number(about, k))
                    for jumps, inputs in (
                        (inside, inside_inputs(schedule, t, shape, generator)),
                        (outside, outside_inputs(shape, generator, 1.0 if precise else OUTSIDE)),
                    ):
                        jumps.append(sampler.jump(t, t_prev, inputs, seed=drawn.number("z", len(jumps), about)))
        return inside, outside

    return Once(measure)
