"""Single steps of a sampler, called and judged: what more than one check of level 4 asks for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from grader.checks import fresh_noise as noise_checks
from grader.checks import last_step as last_checks
from grader.checks import reverse_step
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import bends, inside_inputs, shares_noise
from grader.checks.schedule import Schedule
from grader.errors import SubmissionFailed
from grader.student.once import Once
from grader.student.sampler_record import Record
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures_sampler import BuildSampler, Steps

CALLS = 8  # of p_sample on the same x_t

Measured = dict[str, Any]


def generator(drawn: Drawn, *purpose: int | str) -> torch.Generator:
    return torch.Generator().manual_seed(drawn.number(*purpose))


def has_schedule_of_its_own(build: BuildSampler, steep: Schedule, drawn: Drawn) -> bool:
    """Whether a sampler does the same steps on two schedules of one length, other ones at another t."""
    shape, other = drawn.shape("noise", 6144, (5, 9), (2, 3)), replace(steep, beta_start=0.02, beta_end=0.25)
    x_t, eps = inside_inputs(steep, 10, shape, generator(drawn, "two schedules"))
    try:
        (here, later), (there, _) = (
            [build(schedule).p_sample(x_t, t, eps, seed=drawn.number("two schedules, z")) for t in (10, 14)]
            for schedule in (steep, other)
        )
    except (CheckFailed, SubmissionFailed):  # other checks report it
        return False
    return torch.equal(here, there) and not torch.equal(here, later)


def step_mean(measured_steps: Once[Steps], record: Record, own_schedule: Callable[[], bool]) -> Measured:
    steps = measured_steps()
    try:
        measured = reverse_step.check_mean(*steps)
    except CheckFailed as failed:
        wait_for_noise_of_its_own(steps, failed)
        return reverse_step.check_mean(*steps, own_schedule=own_schedule())
    if record.misasked:
        raise record.misasked[0]
    return measured


def step_variance(measured_steps: Once[Steps], own_schedule: Callable[[], bool]) -> Measured:
    steps = measured_steps()
    try:
        return reverse_step.check_variance(steps[0])
    except CheckFailed as failed:
        wait_for_noise_of_its_own(steps, failed)
        wait_for_linear_mean(steps, failed)
        return reverse_step.check_variance(steps[0], own_schedule=own_schedule())


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


def fresh_noise(build: BuildSampler, measured_steps: Once[Steps], steep: Schedule, drawn: Drawn) -> Measured:
    """The noise of calls with the same x_t, and that along two whole samplings."""
    sampler, shape = build(steep), drawn.shape("noise", 6144, (5, 9), (2, 3))
    t = drawn.random("fresh").randrange(3, steep.T)
    x_t, eps = inside_inputs(steep, t, shape, generator(drawn, "fresh"))
    outs = torch.stack([sampler.p_sample(x_t, t, eps, seed=drawn.number("fresh, z", k)) for k in range(CALLS)])
    # within a call the noise shows whatever the mean is; between calls, and between steps, it takes a right mean
    noise = noise_checks.call_noise(outs)
    if noise is not None:
        noise_checks.check_fresh_noise(noise, noise_checks.WITHIN)
    try:
        measured = noise_checks.check_fresh_noise(noise_checks.step_noise(x_t, eps, outs))
    except CheckFailed:
        wait_for_mean(measured_steps)
        raise

    # in a whole sampling: eps follows from x_t and an x_0 that the judge chose, so all right forms of the mean agree
    x_0 = torch.rand(shape, generator=generator(drawn, "fresh, x_0")) * 1.8 - 0.9

    def model(x: Tensor, t: Tensor) -> Tensor:
        a_bar = steep.alpha_bar[t.long().flatten()[:1].clamp(0, steep.T - 1)].float()
        return (x - a_bar.sqrt() * x_0) / (1 - a_bar).sqrt()

    along = []
    for k in range(2):  # two, as noise may be kept from one sampling for the next
        trace = sampler.trace(model, shape, seed=drawn.number("fresh trace", k))
        if trace.judged_steps(steep.T) != list(range(steep.T - 1, -1, -1)):
            raise NotJudged("waits for every_step_once: the steps of a sampling are not T − 1, …, 0")
        along.append(noise_checks.trace_noise(steep, torch.stack(trace.x), torch.stack(trace.eps)))
    wait_for_mean(measured_steps)
    return measured | noise_checks.check_fresh_noise(torch.cat(along))


def wait_for_mean(measured_steps: Once[Steps]) -> None:
    try:
        reverse_step.check_mean(*measured_steps())
    except CheckFailed as error:
        raise NotJudged("waits for step.mean, which is what the noise of a step is measured from") from error


def last_step(
    build: BuildSampler, schedules: tuple[Schedule, ...], measured_steps: Once[Steps], drawn: Drawn
) -> Measured:  # fmt: skip
    """The step at t = 0, on the configuration's schedule and on a steep one."""
    measured: Measured = {}
    for schedule in schedules:
        shape = drawn.shape(f"last {schedule.T}", 6144, (1, 20))
        x_t, eps = inside_inputs(schedule, 0, shape, generator(drawn, "last", schedule.T))
        sampler = build(schedule)
        outs = [sampler.p_sample(x_t, 0, eps, seed=drawn.number("last, z", k)) for k in range(2)]
        try:
            measured |= last_checks.check_last_step(schedule, x_t, eps, *outs)
        except CheckFailed as failed:  # the other steps say whose fault it is
            try:
                inside, outside = measured_steps()
            except (CheckFailed, SubmissionFailed):
                raise failed from None
            measured |= last_checks.check_last_step(
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
