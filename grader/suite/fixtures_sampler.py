"""Fixtures for level 4. A pytest plugin, registered by conftest.py."""

import math
from dataclasses import replace
from typing import Protocol

import pytest
import torch

from assignment.ddpm.config import Config
from grader.checks.finding import CheckFailed
from grader.checks.measure_step import Step, inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.checks.telling_network import TellingNetwork
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.student.deadlines import Deadlines
from grader.student.once import Once
from grader.student.sampler import Sampler
from grader.student.sampler_record import Record
from grader.student.trace import Trace
from grader.submission.process import AnySubmission
from grader.submission.sources import why_missing
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import wait_for
from grader.suite.judge import Judge

Steps = tuple[list[Step], list[Step]]  # from inside inputs and from outside ones (measure_step.py)

PRECISE = 1 << 17  # scalars of a step that has to tell formulas apart
COVERING = 1 << 13  # … and of one that shows that p_sample is right at other t and shapes, too
OUTSIDE = 3.0  # standard deviation of eps there, so that it shows where its weight is small
TRACED = 4200, 8400  # scalars of the sampling over all steps of the configuration, at least and about at most
BETWEEN = 12  # timesteps of the configuration's schedule, besides the first two and the last


@pytest.fixture(scope="session")
def sampler_file(submission: AnySubmission) -> bytes:
    """The source of sampler.py."""
    if why := why_missing(submission.path / "sampler.py"):
        raise CheckFailed(why, "Hand in a Python file under exactly this name.")
    return submission.sources["sampler.py"]


@pytest.fixture(scope="session")
def drawn(seed: int) -> Drawn:
    return Drawn(seed)


@pytest.fixture(scope="session")
def long(settings: Config) -> Schedule:
    """The configuration's own schedule."""
    return Schedule(settings.model.num_timesteps, settings.diffusion.beta_start, settings.diffusion.beta_end)


@pytest.fixture(scope="session")
def steep(drawn: Drawn) -> Schedule:
    """About 20 large steps, in which wrong formulas show."""
    return drawn.steep("steep")


@pytest.fixture(scope="session")
def record() -> Record:
    """What was seen of the sampler so far."""
    return Record()


class BuildSampler(Protocol):
    def __call__(
        self, schedule: Schedule, *, name: str = "sampler", shares_with: str | None = None
    ) -> Sampler: ...  # fmt: skip


@pytest.fixture(scope="session")
def build_sampler(
    submission: AnySubmission, deadlines: Deadlines, record: Record, sampler_file: bytes
) -> BuildSampler:  # fmt: skip
    def build_sampler(schedule: Schedule, *, name: str = "sampler", shares_with: str | None = None) -> Sampler:
        return Sampler(submission, deadlines, schedule, record=record, name=name, shares_with=shares_with)

    return build_sampler


@pytest.fixture(scope="session")
def sampling_kept(build_sampler: BuildSampler, drawn: Drawn) -> Once[None]:
    """The minimum for checks of whole samplings: sample returns the requested shape."""

    def try_it() -> None:
        schedule = drawn.steep("minimum", 4, 8)
        network = TellingNetwork(schedule, drawn.number("minimum, eps"))
        build_sampler(schedule).sample(network, drawn.shape("minimum", 64, (2, 4)), seed=drawn.number("minimum"))

    return Once(try_it)


@pytest.fixture(scope="session")
def step_kept(build_sampler: BuildSampler, drawn: Drawn) -> Once[None]:
    """The minimum for checks of single steps: p_sample returns the shape of x_t."""

    def try_it() -> None:
        schedule, shape = drawn.steep("minimum"), drawn.shape("minimum", 64, (2, 4))
        inputs = inside_inputs(schedule, 3, shape, torch.Generator().manual_seed(drawn.number("minimum, x")))
        build_sampler(schedule).step(3, inputs, seed=drawn.number("minimum"))

    return Once(try_it)


def waiting_for(once: Once[None], what: str, judge: Judge, *, level: int = 4) -> None:
    try:
        once()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        wait_for(f"waits for {what} to keep the contract", error, judge, level=level)


@pytest.fixture
def whole(build_sampler: BuildSampler, sampling_kept: Once[None], judge: Judge) -> BuildSampler:
    """Builds samplers, if their `sample` returns the right shape."""
    waiting_for(sampling_kept, "sample", judge)
    return build_sampler


@pytest.fixture
def single(build_sampler: BuildSampler, step_kept: Once[None], judge: Judge) -> BuildSampler:
    """Builds samplers, if their `p_sample` returns the right shape."""
    waiting_for(step_kept, "p_sample", judge)
    return build_sampler


@pytest.fixture(scope="session")
def long_trace_once(build_sampler: BuildSampler, long: Schedule, settings: Config, drawn: Drawn) -> Once[Trace]:
    """Of the configuration's own images, as `main.py` draws them, which are all that a student looks at."""

    def trace() -> Trace:
        shape = settings.model.image_shape
        fewest, most = (max(2, math.ceil(scalars / math.prod(shape))) for scalars in TRACED)
        images = drawn.random("trace").randint(fewest, most)
        network = TellingNetwork(long, drawn.number("trace, eps"))
        return build_sampler(long).trace(network, (images, *shape), seed=drawn.number("trace"))

    return Once(trace)


@pytest.fixture
def long_trace(whole: BuildSampler, long_trace_once: Once[Trace]) -> Trace:
    """One recorded sampling over all steps of the configuration; several checks use it."""
    return long_trace_once()


@pytest.fixture(scope="session")
def measured_steps(build_sampler: BuildSampler, long: Schedule, steep: Schedule, drawn: Drawn) -> Once[Steps]:
    """Single reverse steps on three schedules: inside and outside inputs (measure_step.py).

    A few are measured precisely, many more over all t coarsely, in other shapes. Two of the schedules have the same T,
    and their samplers take turns: what one has stored by T, t or shape would be wrong for the other.
    """

    def measure() -> Steps:
        inside: list[Step] = []
        outside: list[Step] = []
        twin = replace(steep, beta_start=2 * steep.beta_start, beta_end=0.8 * steep.beta_end)
        samplers = [build_sampler(s, name=name) for s, name in ((long, "long"), (steep, "steep"), (twin, "twin"))]

        def add(sampler: Sampler, t: int, purpose: str, scalars: int, images: tuple[int, int], scale: float) -> None:
            s, about = sampler.schedule, (sampler.name, purpose, t)
            shape = drawn.shape(f"{purpose} {s.T} {t}", scalars, images)
            generator = torch.Generator().manual_seed(drawn.number("x", *about))
            for steps, inputs in (
                (inside, inside_inputs(s, t, shape, generator)), (outside, outside_inputs(shape, generator, scale))
            ):  # fmt: skip
                steps.append(sampler.step(t, inputs, seed=drawn.number("z", len(steps), *about)))

        for sampler in samplers[:2]:
            for t in drawn.timesteps("precise", sampler.schedule.T, 1):
                add(sampler, t, "precise", PRECISE, (20, 40), 1.0)
        for t in drawn.timesteps("covering", long.T, BETWEEN):
            add(samplers[0], t, "covering", COVERING, (1, 40), OUTSIDE)
        for t in range(1, steep.T):
            for sampler in samplers[1:]:
                add(sampler, t, "covering", COVERING, (1, 40), OUTSIDE)
        return inside, outside

    return Once(measure)
