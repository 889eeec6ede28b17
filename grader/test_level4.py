"""Level 4, the sampler: sampler.py's DDPMSampler. A test is a claim; its points are in configs/grading.yaml.

The judge answers in place of the network: it sees each call, and knows what it answered. Schedules, shapes and
timesteps are drawn (drawn_sampler.py), and whatever is seen of any call is kept and judged (`record`).
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from assignment.ddpm.config import Config
from grader.check_ids import check
from grader.checks import end_to_end, reverse_step
from grader.checks import sampler_calls as calls
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import inside_inputs
from grader.checks.mixed_t import check_mixed_t
from grader.checks.own_work import scan_with_imports
from grader.checks.sampler_contract import check_left_alone, check_not_repeated, check_range, check_reproducible
from grader.checks.samplings import check_samplings
from grader.checks.schedule import Schedule
from grader.checks.step_errors import in_words, step_errors, steps_of
from grader.checks.telling_network import TellingNetwork
from grader.errors import SubmissionFailed, TimedOut
from grader.student.once import Once
from grader.student.sampler import Model
from grader.student.sampler_record import Record
from grader.student.trace import Trace
from grader.submission.process import AnySubmission
from grader.suite import captions
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import ShowPicture, judge_own_work, unless_a_stub, unreadable
from grader.suite.fixtures_sampler import BuildSampler, Steps
from grader.suite.pictures import save_step_errors
from grader.suite.sampler_steps import (
    findings,
    fresh_noise,
    has_schedule_of_its_own,
    last_step,
    step_gaussian,
    step_mean,
    step_variance,
)  # fmt: skip

END_SCALARS = 1 << 17  # pixels of samples
MIXED_CALLS = 4  # of p_sample for each t, so that noise shows as what differs between calls
# fewest and most steps, scalars, fewest and most images, channels
OTHER_SIZES = ((2, 8, 96, (2, 8), 1), (12, 40, 360, (1, 1), 2), (45, 60, 1200, (4, 9), 3))

Measured = dict[str, Any]


@check("level4.contract.builds")
def test_builds(build_sampler: BuildSampler, long: Schedule, steep: Schedule, step_kept: Once[None]) -> None:
    """DDPMSampler(diffusion, device) can be built, and has the methods p_sample and sample."""
    unless_a_stub(step_kept)
    build_sampler(long)
    build_sampler(steep)


@check("level4.own_work")
def test_own_work(sampler_file: bytes, step_kept: Once[None], submission: AnySubmission) -> None:
    """The sampler is your own work: no ready-made schedulers."""
    unless_a_stub(step_kept)
    try:
        offences = scan_with_imports(submission.sources, "sampler.py")
    except (SyntaxError, ValueError) as error:
        raise unreadable("sampler.py", error) from error
    if offences and submission.trusted:
        raise NotJudged("not asked of the reference, which may use the library's sampler (--trusted)")
    judge_own_work(offences, step_kept)


@check("level4.contract.shapes")
def test_shapes(build_sampler: BuildSampler, steep: Schedule, drawn: Drawn) -> None:
    """sample and p_sample return plain float tensors of the requested shape, on the device."""
    sampler, shape = build_sampler(steep), drawn.shape("shapes", 192, (2, 5))
    t = drawn.random("shapes").randrange(1, steep.T)
    x, eps = inside_inputs(steep, t, shape, torch.Generator().manual_seed(drawn.number("shapes, x")))
    sampler.p_sample(x, t, eps, seed=drawn.number("shapes"))
    sampler.sample(TellingNetwork(steep, drawn.number("shapes, eps")), shape, seed=drawn.number("shapes"))


@check("level4.contract.range")
def test_range(whole: BuildSampler, drawn: Drawn, measured: Measured) -> None:
    """Samples lie in [−1, 1], even if the network pushes them far out, and use both halves of that range."""
    schedule, shape = drawn.steep("range"), drawn.shape("range", 128, (2, 4))
    sampler = whole(schedule)

    def pushing(push: float) -> Model:
        return lambda x, t: torch.full_like(x, push)

    driven = [sampler.sample(pushing(push), shape, seed=drawn.number("range")) for push in (-30, 30)]
    measured.update(check_range(torch.cat(driven)))


@check("level4.contract.other_sizes")
def test_other_sizes(build_sampler: BuildSampler, drawn: Drawn) -> None:
    """Other numbers of timesteps, images and channels work, also images that aren't square: nothing is hard-coded."""
    for i, (fewest, most, scalars, images, channels) in enumerate(OTHER_SIZES):
        purpose = f"size {i}"
        schedule, shape = drawn.steep(purpose, fewest, most), drawn.shape(purpose, scalars, images, (channels,))
        sampler = build_sampler(schedule)
        network = TellingNetwork(schedule, drawn.number(purpose, "eps"))
        trace = sampler.trace(network, shape, seed=drawn.number(purpose))
        sampler.verified(trace, shape)
        if len(trace.x) > schedule.T or (trace.steps and max(trace.steps) >= schedule.T):
            raise CheckFailed(
                f"expected steps T − 1 = {schedule.T - 1}, …, 0, got {len(trace.x)} calls, from t = {max(trace.steps)}",
                "Take the number of steps from diffusion.num_timesteps.",
            )


@check("level4.trace.every_step_once")
def test_visits_every_step_once(long_trace: Trace, long: Schedule, measured: Measured) -> None:
    """The network is called at t = T − 1, …, 1, 0: every step once, in this order."""
    measured.update(calls.check_order(long_trace.judged_steps(long.T), long.T))


@check("level4.trace.timesteps")
def test_timesteps_are_integers(long_trace: Trace, device: str, measured: Measured) -> None:
    """The network is given t as integers, one per image, on the device."""
    dtypes, shapes, devices = (long_trace.of_t(key) for key in ("dtype", "shape", "device"))
    measured.update(
        calls.check_timestep_tensors(dtypes, shapes, devices, len(long_trace.x[0]) if long_trace.x else 0, device)
    )


@check("level4.trace.starts_from_noise")
def test_starts_from_noise(long_trace: Trace, measured: Measured) -> None:
    """Sampling starts from standard normal noise, independent for each image and pixel."""
    if not long_trace.x:
        raise NotJudged("the model was never called")
    measured.update(calls.check_starting_noise(long_trace.x[0]))


@check("level4.trace.eval_mode")
def test_eval_mode(long_trace: Trace, measured: Measured) -> None:
    """The network is in eval mode while sampling."""
    measured.update(calls.check_eval([bool(facts.get("training")) for facts in long_trace.facts]))


@check("level4.trace.no_grad")
def test_no_grad(long_trace: Trace, measured: Measured) -> None:
    """No gradients are recorded while sampling."""
    recorded = bool(long_trace.result.values.get("requires_grad"))
    measured.update(calls.check_no_grad([bool(facts.get("grad")) for facts in long_trace.facts], recorded))


@pytest.fixture
def own_schedule(build_sampler: BuildSampler, steep: Schedule, drawn: Drawn) -> Callable[[], bool]:
    return lambda: has_schedule_of_its_own(build_sampler, steep, drawn)


@check("level4.step.mean")
def test_step_mean(
    single: BuildSampler, measured_steps: Once[Steps], record: Record, own_schedule: Callable[[], bool],
    measured: Measured,
) -> None:  # fmt: skip
    """One reverse step has the mean of Eq. 11, or the one with the clipped x_0."""
    measured.update(step_mean(measured_steps, record, own_schedule))


@check("level4.step.variance")
def test_step_variance(
    single: BuildSampler, measured_steps: Once[Steps], own_schedule: Callable[[], bool], measured: Measured
) -> None:  # fmt: skip
    """The noise of a reverse step has variance beta or beta-tilde, at every t."""
    measured.update(step_variance(measured_steps, own_schedule))


@check("level4.step.gaussian")
def test_step_noise_is_gaussian(single: BuildSampler, measured_steps: Once[Steps], measured: Measured) -> None:
    """The noise of a reverse step is normally distributed."""
    measured.update(step_gaussian(measured_steps))


@check("level4.step.fresh_noise")
def test_step_noise_is_fresh(
    single: BuildSampler, whole: BuildSampler, measured_steps: Once[Steps], steep: Schedule, drawn: Drawn,
    measured: Measured,
) -> None:  # fmt: skip
    """Fresh noise is drawn for each step, image, channel and pixel."""
    measured.update(fresh_noise(whole, measured_steps, steep, drawn))


@check("level4.step.last_step")
def test_last_step_adds_no_noise(
    single: BuildSampler, long: Schedule, steep: Schedule, measured_steps: Once[Steps], drawn: Drawn,
    measured: Measured,
) -> None:  # fmt: skip
    """At t = 0 no noise is added."""
    measured.update(last_step(single, (long, steep), measured_steps, drawn))


@check("level4.step.mixed_t")
def test_mixed_timesteps_in_one_batch(single: BuildSampler, drawn: Drawn, measured: Measured) -> None:
    """In a batch with different t, each image takes the step of its own t."""
    schedule = drawn.steep("mixed")
    t = [0, drawn.random("mixed").randrange(4, schedule.T - 3), schedule.T - 1, 0, 1]
    generator = torch.Generator().manual_seed(drawn.number("mixed"))
    _, *image = drawn.shape("mixed", 5 * 3 * 1024, (5, 5), (3, 4))
    inputs = [inside_inputs(schedule, step, (1, *image), generator) for step in t]
    x_t, eps = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    sampler = single(schedule)

    def outs(steps: Tensor) -> Tensor:
        seeds = [drawn.number("mixed z", k) for k in range(MIXED_CALLS)]
        return torch.stack([sampler.p_sample(x_t, steps, eps, seed=s, finite=False) for s in seeds])

    alone = {step: outs(torch.full((len(t),), step)) for step in dict.fromkeys(t)}
    measured.update(check_mixed_t(t, x_t, eps, outs(torch.tensor(t)), alone))


@check("level4.behaviour.leaves_alone")
def test_leaves_everything_alone(
    single: BuildSampler, whole: BuildSampler, drawn: Drawn, settings: Config, record: Record
) -> None:  # fmt: skip
    """Sampling leaves the schedule, the model, x_t and t unchanged."""
    schedule = drawn.steep("alone")
    shape, t = (drawn.random("alone").randint(3, 6), *settings.model.image_shape), schedule.T - 1
    x_t, eps = inside_inputs(schedule, t, shape, torch.Generator().manual_seed(drawn.number("alone, x")))
    steps = torch.tensor([0, t, *[t // 2] * (len(x_t) - 2)])
    single(schedule, name="first").reply(x_t, steps, eps, seed=drawn.number("alone"))
    sampler = whole(schedule, name="second", shares_with="first")
    sampler.trace(TellingNetwork(schedule, drawn.number("alone, eps")), shape, seed=drawn.number("alone, second"))
    check_left_alone(record.changed)


@check("level4.behaviour.reproducible")
def test_reproducible(whole: BuildSampler, drawn: Drawn, settings: Config, measured: Measured) -> None:
    """torch.manual_seed before sampling reproduces the samples; another seed gives different ones."""
    schedule = drawn.steep("reproducible")
    sampler, shape = whole(schedule), (drawn.random("reproducible").randint(3, 6), *settings.model.image_shape)

    def sampling(seed: int | None) -> Trace:
        return sampler.trace(drawn.oracle(schedule), shape, seed=seed)  # with it, images depend on the noise

    first, again, other = (sampling(drawn.number("reproducible", k)) for k in (1, 1, 2))
    following = sampling(None)
    measured.update(check_reproducible(*(sampler.verified(trace, shape) for trace in (first, again))))
    check_not_repeated(other, following, first)


@check("level4.end_to_end")
def test_end_to_end(
    whole: BuildSampler, long: Schedule, steep: Schedule, step_kept: Once[None], long_trace_once: Once[Trace],
    measured_steps: Once[Steps], record: Record, own_schedule: Callable[[], bool], drawn: Drawn,
    show_picture: ShowPicture, measured: Measured,
) -> None:  # fmt: skip
    """Sampling denoises: every step is Algorithm 2's, and samples of Gaussian images have the right mean and spread."""
    # first what may time out, as a second try begins anew
    long_trace_once()
    try:
        alone = reverse_step.right_forms(*measured_steps())
    except TimedOut:
        raise
    except (CheckFailed, SubmissionFailed):
        alone = set()
    sampler, oracle, shape = whole(steep), drawn.oracle(steep), drawn.shape("end", END_SCALARS, (20, 40))
    trace = sampler.trace(oracle, shape, seed=drawn.number("end"))
    steps = steps_of(steep, trace.steps, trace.x, trace.eps, trace.result.tensors.get("y"))
    if len(steps) > 1:
        errors = step_errors(steps)
        title = f"Your sampler's steps: error by t, on a steep schedule of {steep.T} steps"
        show_picture(
            "level4-steps.png", title, in_words(errors), captions.STEPS,
            lambda path: save_step_errors(errors, steep.T, path),
        )  # fmt: skip
    samples = sampler.verified(trace, shape)
    if not end_to_end.is_right(samples, oracle):
        asked = trace.judged_steps(steep.T)
        judgements: dict[str, Callable[[], object]] = {
            "step.mean": lambda: step_mean(measured_steps, record, own_schedule),
            "step.variance": lambda: step_variance(measured_steps, own_schedule),
            "step.last_step": lambda: last_step(whole, (long, steep), measured_steps, drawn),
            "step.fresh_noise": lambda: fresh_noise(whole, measured_steps, steep, drawn),
        }
        found = findings(judgements) if findings({"p_sample": step_kept}) == {"p_sample": None} else {}
        end_to_end.check_end_to_end(samples, oracle, calls=asked, found=found)
    measured.update(end_to_end.check_end_to_end(samples, oracle))
    measured.update(check_samplings(record.samplings, alone or None))
