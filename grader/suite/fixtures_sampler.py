"""Fixtures for level 4. A pytest plugin, registered by conftest.py."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from assignment.ddpm.config import Config
from assignment.ddpm.seeds import derive_seed
from grader.checks.end_to_end import STEEP
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step, inside_inputs, outside_inputs
from grader.checks.schedule import Schedule
from grader.errors import NotImplementedYet, SubmissionFailed
from grader.student.deadlines import Deadlines
from grader.student.once import Once
from grader.student.sampler import Sampler, Trace
from grader.submission.process import AnySubmission
from grader.submission.sources import why_missing

STEP_SHAPE = (32, 1, 64, 64)  # 2**17 scalars for each measured step
TRACE_SHAPE = (16, 3, 12, 20)  # not square, and no two sizes alike


@pytest.fixture(scope="session")
def sampler_file(submission: AnySubmission) -> bytes:
    """The source of sampler.py."""
    if why := why_missing(submission.path / "sampler.py"):
        raise CheckFailed(why, "Hand in a Python file under exactly this name.")
    return submission.sources["sampler.py"]


@pytest.fixture(scope="session")
def long(settings: Config) -> Schedule:
    """The configuration's own schedule."""
    return Schedule(settings.model.num_timesteps, settings.diffusion.beta_start, settings.diffusion.beta_end)


BuildSampler = Callable[[Schedule], Sampler]
Steps = tuple[list[Step], list[Step]]  # from inside inputs and from outside ones (measure_step.py)


@pytest.fixture(scope="session")
def build_sampler(submission: AnySubmission, deadlines: Deadlines, seed: int, sampler_file: bytes) -> BuildSampler:
    def build_sampler(schedule: Schedule) -> Sampler:
        return Sampler(submission, deadlines, schedule, seed=seed)

    return build_sampler


@pytest.fixture(scope="session")
def sampling_kept(build_sampler: BuildSampler) -> Once[None]:
    """The minimum for checks of whole samplings: sample returns the requested shape."""

    def try_it() -> None:
        build_sampler(Schedule(5, 0.01, 0.4)).sample(silence, (2, 1, 8, 8), seed=0)

    return Once(try_it)


@pytest.fixture(scope="session")
def step_kept(build_sampler: BuildSampler) -> Once[None]:
    """The minimum for checks of single steps: p_sample returns the shape of x_t."""

    def try_it() -> None:
        x = torch.zeros(2, 1, 8, 8)
        build_sampler(STEEP).p_sample(x, 3, x, seed=0)

    return Once(try_it)


def waiting_for(once: Once[None], what: str) -> None:
    try:
        once()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"waits for {what} to keep the contract: {error.message}") from error


@pytest.fixture
def whole(build_sampler: BuildSampler, sampling_kept: Once[None]) -> BuildSampler:
    """Builds samplers, if their `sample` returns the right shape."""
    waiting_for(sampling_kept, "sample")
    return build_sampler


@pytest.fixture
def single(build_sampler: BuildSampler, step_kept: Once[None]) -> BuildSampler:
    """Builds samplers, if their `p_sample` returns the right shape."""
    waiting_for(step_kept, "p_sample")
    return build_sampler


@pytest.fixture(scope="session")
def long_trace_once(build_sampler: BuildSampler, long: Schedule, seed: int) -> Once[Trace]:
    return Once(lambda: build_sampler(long).trace(silence, TRACE_SHAPE, seed=derive_seed("trace", seed)))


@pytest.fixture
def long_trace(whole: BuildSampler, long_trace_once: Once[Trace]) -> Trace:
    """One recorded sampling over all steps of the configuration; several checks use it."""
    return long_trace_once()


@pytest.fixture(scope="session")
def measured_steps(build_sampler: BuildSampler, long: Schedule, seed: int) -> Once[Steps]:
    """Single reverse steps at t in {1, 2, T/2, T−1} of two schedules: inside and outside inputs (measure_step.py)."""

    def measure() -> Steps:
        inside: list[Step] = []
        outside: list[Step] = []
        for schedule in (long, STEEP):
            sampler = build_sampler(schedule)
            for t in sorted({1, 2, schedule.T // 2, schedule.T - 1}):
                generator = torch.Generator().manual_seed(derive_seed("step", seed, schedule.T, t))
                for steps, inputs in (
                    (inside, inside_inputs(schedule, t, STEP_SHAPE, generator)),
                    (outside, outside_inputs(STEP_SHAPE, generator)),
                ):
                    steps.append(sampler.step(t, inputs, seed=derive_seed("z", seed, schedule.T, t, len(steps))))
        return inside, outside

    return Once(measure)


def silence(x: Tensor, t: Tensor) -> Tensor:
    """A network that predicts no noise."""
    return torch.zeros_like(x)
