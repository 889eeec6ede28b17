"""Single steps of a sampler, called and judged: what more than one check of level 4 asks for."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed
from grader.checks import reverse_step
from grader.checks.end_to_end import STEEP
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import bends, inside_inputs, shares_noise
from grader.checks.schedule import Schedule
from grader.errors import SubmissionFailed
from grader.student.once import Once
from grader.suite.fixtures_sampler import BuildSampler, Steps

NOISE_SHAPE = (8, 3, 16, 16)

Measured = dict[str, Any]


def has_schedule_of_its_own(build: BuildSampler, seed: int) -> bool:
    """Whether a sampler does the same steps on two schedules of one length, other ones at another t."""
    generator = torch.Generator().manual_seed(derive_seed("two schedules", seed))
    x_t, eps = inside_inputs(STEEP, 10, NOISE_SHAPE, generator)
    schedules = (STEEP, Schedule(STEEP.T, 0.02, 0.3))
    try:
        (here, later), (there, _) = (
            [build(schedule).p_sample(x_t, t, eps, seed=derive_seed("two schedules", seed)) for t in (10, 15)]
            for schedule in schedules
        )
    except (CheckFailed, SubmissionFailed):  # other checks report it
        return False
    return torch.equal(here, there) and not torch.equal(here, later)


def step_mean(build: BuildSampler, measured_steps: Once[Steps], seed: int) -> Measured:
    steps = measured_steps()
    try:
        return reverse_step.check_mean(*steps)
    except CheckFailed as failed:
        wait_for_noise_of_its_own(steps, failed)
        return reverse_step.check_mean(*steps, own_schedule=has_schedule_of_its_own(build, seed))


def step_variance(build: BuildSampler, measured_steps: Once[Steps], seed: int) -> Measured:
    steps = measured_steps()
    try:
        return reverse_step.check_variance(steps[0])
    except CheckFailed as failed:
        wait_for_noise_of_its_own(steps, failed)
        wait_for_linear_mean(steps, failed)
        return reverse_step.check_variance(steps[0], own_schedule=has_schedule_of_its_own(build, seed))


def step_gaussian(measured_steps: Once[Steps]) -> Measured:
    steps = measured_steps()
    try:
        return reverse_step.check_gaussian(steps[0])
    except CheckFailed as failed:
        wait_for_noise_of_its_own(steps, failed)
        wait_for_linear_mean(steps, failed)
        raise


def wait_for_noise_of_its_own(steps: Steps, failed: CheckFailed) -> None:
    if any(map(shares_noise, steps[0])):
        raise NotJudged("waits for step.fresh_noise: pixels or images share their noise") from failed


def wait_for_linear_mean(steps: Steps, failed: CheckFailed) -> None:
    if not reverse_step.has_right_mean(*steps) and any(map(bends, steps[0])):
        raise NotJudged("waits for step.mean, which is what the noise of a step is measured from") from failed


def fresh_noise(build: BuildSampler, measured_steps: Once[Steps], seed: int) -> Measured:
    """The noise of calls with the same x_t, and that along a whole sampling."""
    sampler = build(STEEP)
    generator = torch.Generator().manual_seed(derive_seed("fresh", seed))
    x_t, eps = inside_inputs(STEEP, 10, NOISE_SHAPE, generator)
    outs = torch.stack([sampler.p_sample(x_t, 10, eps, seed=derive_seed("fresh", seed, k)) for k in range(8)])
    # within a call the noise shows whatever the mean is; between calls, and between steps, it takes a right mean
    noise = reverse_step.call_noise(outs)
    if noise is not None:
        reverse_step.check_fresh_noise(noise, reverse_step.WITHIN)
    try:
        measured = reverse_step.check_fresh_noise(reverse_step.step_noise(x_t, eps, outs))
    except CheckFailed:
        wait_for_mean(measured_steps)
        raise

    # in a whole sampling: eps follows from x_t and an x_0 that the judge chose, so all right forms of the mean agree
    x_0 = torch.rand(NOISE_SHAPE, generator=generator) * 1.8 - 0.9

    def model(x: Tensor, t: Tensor) -> Tensor:
        a_bar = STEEP.alpha_bar[t.long().flatten()[:1].clamp(0, STEEP.T - 1)].float()
        return (x - a_bar.sqrt() * x_0) / (1 - a_bar).sqrt()

    trace = build(STEEP).trace(model, NOISE_SHAPE, seed=derive_seed("fresh trace", seed))
    if trace.judged_steps(STEEP.T) != list(range(STEEP.T - 1, -1, -1)):
        raise NotJudged("waits for every_step_once: the steps of a sampling are not T − 1, …, 0")
    wait_for_mean(measured_steps)
    along = reverse_step.trace_noise(STEEP, torch.stack(trace.x), torch.stack(trace.eps))
    return measured | reverse_step.check_fresh_noise(along)


def wait_for_mean(measured_steps: Once[Steps]) -> None:
    try:
        reverse_step.check_mean(*measured_steps())
    except CheckFailed as error:
        raise NotJudged("waits for step.mean, which is what the noise of a step is measured from") from error


def last_step(build: BuildSampler, long: Schedule, measured_steps: Once[Steps], seed: int) -> Measured:
    """The step at t = 0, on the configuration's schedule and on the steep one."""
    measured: Measured = {}
    for schedule in (long, STEEP):
        generator = torch.Generator().manual_seed(derive_seed("last", seed, schedule.T))
        x_t, eps = inside_inputs(schedule, 0, NOISE_SHAPE, generator)
        sampler = build(schedule)
        outs = [sampler.p_sample(x_t, 0, eps, seed=derive_seed("last", seed, k)) for k in range(2)]
        try:
            measured |= reverse_step.check_last_step(schedule, x_t, eps, *outs)
        except CheckFailed as failed:  # the other steps say whose fault it is
            try:
                inside, outside = measured_steps()
            except (CheckFailed, SubmissionFailed):
                raise failed from None
            measured |= reverse_step.check_last_step(
                schedule, x_t, eps, *outs, beta_tilde=reverse_step.has_beta_tilde(inside),
                mean_is_right=reverse_step.has_right_mean(inside, outside),
            )  # fmt: skip
    return measured


def findings(judgements: dict[str, Callable[[], object]]) -> dict[str, str | None]:
    """The mistake that each names: None where it holds, "" where it fails without a name, and none if not judged."""
    found: dict[str, str | None] = {}
    for name, judge in judgements.items():
        try:
            judge()
            found[name] = None
        except CheckFailed as failed:
            found[name] = str(failed.measurements.get("mistake") or "")
        except (NotJudged, SubmissionFailed):
            continue
    return found
