"""Level 4, the sampler: sampler.py's DDPMSampler. A test is a claim; its points are in configs/grading.yaml.

The judge answers in place of the network: it sees each call, and knows the noise that it answered.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.seeds import derive_seed
from grader.check_ids import check
from grader.checks import end_to_end, reverse_step
from grader.checks import sampler_calls as traces
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import inside_inputs
from grader.checks.own_work import check_own_work, scan_with_imports
from grader.checks.sampler_contract import check_left_alone, check_not_repeated, check_range, check_reproducible
from grader.checks.schedule import Schedule
from grader.checks.step_errors import in_words, step_errors, steps_of
from grader.student.once import Once
from grader.student.sampler import Model, Trace
from grader.submission.process import AnySubmission
from grader.suite.fixtures import ShowPicture, unless_a_stub
from grader.suite.fixtures_sampler import TRACE_SHAPE, BuildSampler, Steps, silence
from grader.suite.pictures import save_step_errors
from grader.suite.sampler_steps import findings, fresh_noise, last_step, step_gaussian, step_mean, step_variance

STEEP = end_to_end.STEEP
END_SHAPE = (32, 1, 64, 64)  # 2**17 pixels of samples
MIXED_CALLS = 4  # of p_sample for each t, so that noise shows as what differs between calls
OTHER_SIZES = ((7, (1, 1, 8, 8)), (20, (3, 2, 12, 20)), (50, (5, 3, 9, 9)))  # T, shape
STEPS_TITLE = f"Your sampler's steps: error by t, on a steep schedule of {STEEP.T} steps"

Measured = dict[str, Any]


@check("level4.own_work")
def test_own_work(sampler_file: bytes, step_kept: Once[None], submission: AnySubmission) -> None:
    """The sampler is your own work: no ready-made schedulers."""
    unless_a_stub(step_kept)
    try:
        offences = scan_with_imports(submission.sources, "sampler.py")
    except (SyntaxError, ValueError) as error:
        raise NotJudged(f"sampler.py can't be read as Python: {error}") from error
    if offences and submission.trusted:
        raise NotJudged("not asked of the reference, which may use the library's sampler (--trusted)")
    check_own_work(offences)


@check("level4.contract.builds")
def test_builds(build_sampler: BuildSampler, long: Schedule, step_kept: Once[None]) -> None:
    """DDPMSampler(diffusion, device) builds and has the methods p_sample and sample."""
    unless_a_stub(step_kept)
    build_sampler(long)
    build_sampler(STEEP)


@check("level4.contract.shapes")
def test_shapes(build_sampler: BuildSampler) -> None:
    """sample and p_sample return plain float tensors, of the shape asked for, on the device."""
    sampler = build_sampler(STEEP)
    x = torch.linspace(-1, 1, 2 * 8 * 8).view(2, 1, 8, 8)
    reply = sampler.reply(x, torch.tensor([3, 3]), torch.zeros_like(x), seed=1)
    sampler.images("p_sample", reply, x.shape)
    sampler.images("sample", sampler.trace(silence, (3, 1, 8, 8), seed=1).result, (3, 1, 8, 8))


@check("level4.contract.range")
def test_range(whole: BuildSampler, measured: Measured) -> None:
    """Samples lie in [−1, 1], also where the network drives them far out, and use both halves of it."""
    sampler = whole(STEEP)

    def pushing(push: float) -> Model:
        return lambda x, t: torch.full_like(x, push)

    driven = [sampler.sample(pushing(push), (2, 1, 8, 8), seed=2) for push in (-30, 30)]
    measured.update(check_range(torch.cat(driven)))


@check("level4.contract.other_sizes")
def test_other_sizes(build_sampler: BuildSampler) -> None:
    """Other numbers of timesteps, images and channels, and images that aren't square: nothing is hard-coded."""
    for T, shape in OTHER_SIZES:
        sampler = build_sampler(Schedule(T, 0.01, 0.4))
        trace = sampler.trace(silence, shape, seed=3)
        sampler.images("sample", trace.result, shape)
        if len(trace.x) > T or (trace.steps and max(trace.steps) >= T):
            raise CheckFailed(
                f"expected steps T − 1 = {T - 1}, …, 0, got {len(trace.x)} calls, from t = {max(trace.steps)}",
                "Take the number of steps from diffusion.num_timesteps.",
            )


@check("level4.trace.every_step_once")
def test_visits_every_step_once(long_trace: Trace, long: Schedule, measured: Measured) -> None:
    """The network is asked at t = T − 1, …, 1, 0: every step once, in this order."""
    measured.update(traces.check_order(long_trace.judged_steps(long.T), long.T))


@check("level4.trace.timesteps")
def test_timesteps_are_integers(long_trace: Trace, device: str, measured: Measured) -> None:
    """The network gets t as integers, one for each image, on the device."""
    dtypes, shapes, devices = (long_trace.of_t(key) for key in ("dtype", "shape", "device"))
    measured.update(traces.check_timestep_tensors(dtypes, shapes, devices, TRACE_SHAPE[0], device))


@check("level4.trace.starts_from_noise")
def test_starts_from_noise(long_trace: Trace, measured: Measured) -> None:
    """Sampling starts from standard normal noise, independent for each image and pixel."""
    if not long_trace.x:
        raise NotJudged("the model was never called")
    measured.update(traces.check_starting_noise(long_trace.x[0]))


@check("level4.trace.eval_mode")
def test_eval_mode(long_trace: Trace, measured: Measured) -> None:
    """The network is in eval mode while sampling."""
    measured.update(traces.check_eval([bool(facts.get("training")) for facts in long_trace.facts]))


@check("level4.trace.no_grad")
def test_no_grad(long_trace: Trace, measured: Measured) -> None:
    """No gradients are recorded while sampling."""
    recorded = bool(long_trace.result.values.get("requires_grad"))
    measured.update(traces.check_no_grad([bool(facts.get("grad")) for facts in long_trace.facts], recorded))


@check("level4.step.mean")
def test_step_mean(single: BuildSampler, measured_steps: Once[Steps], seed: int, measured: Measured) -> None:
    """One reverse step has the mean of Eq. 11, or the one with the clipped x_0."""
    measured.update(step_mean(single, measured_steps, seed))


@check("level4.step.variance")
def test_step_variance(single: BuildSampler, measured_steps: Once[Steps], seed: int, measured: Measured) -> None:
    """The noise of a reverse step has variance beta or beta-tilde, at every t."""
    measured.update(step_variance(single, measured_steps, seed))


@check("level4.step.gaussian")
def test_step_noise_is_gaussian(single: BuildSampler, measured_steps: Once[Steps], measured: Measured) -> None:
    """The noise of a reverse step is normally distributed."""
    measured.update(step_gaussian(measured_steps))


@check("level4.step.fresh_noise")
def test_step_noise_is_fresh(
    single: BuildSampler, whole: BuildSampler, measured_steps: Once[Steps], seed: int, measured: Measured
) -> None:
    """The noise is drawn anew for each step, image, channel and pixel."""
    measured.update(fresh_noise(whole, measured_steps, seed))


@check("level4.step.last_step")
def test_last_step_adds_no_noise(
    single: BuildSampler, long: Schedule, measured_steps: Once[Steps], seed: int, measured: Measured
) -> None:
    """At t = 0 no noise is added."""
    measured.update(last_step(single, long, measured_steps, seed))


@check("level4.step.mixed_t")
def test_mixed_timesteps_in_one_batch(single: BuildSampler, seed: int, measured: Measured) -> None:
    """In a batch with different t each image is stepped by its own."""
    t = [0, 5, STEEP.T - 1, 0, 1]
    generator = torch.Generator().manual_seed(derive_seed("mixed", seed))
    inputs = [inside_inputs(STEEP, step, (1, 3, 32, 32), generator) for step in t]
    x_t, eps = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    sampler = single(STEEP)

    def calls(steps: Tensor) -> Tensor:
        seeds = [derive_seed("mixed z", seed, k) for k in range(MIXED_CALLS)]
        return torch.stack([sampler.p_sample(x_t, steps, eps, seed=s, finite=False) for s in seeds])

    alone = {step: calls(torch.full((len(t),), step)) for step in dict.fromkeys(t)}
    measured.update(reverse_step.check_mixed_t(t, x_t, eps, calls(torch.tensor(t)), alone))


@check("level4.behaviour.leaves_alone")
def test_leaves_everything_alone(single: BuildSampler, whole: BuildSampler) -> None:
    """Schedule, model, x_t and t are as they were afterwards."""
    x_t = torch.linspace(-2, 2, 3 * 2 * 6 * 6).view(3, 2, 6, 6)
    t = torch.tensor([0, 7, 19])
    reply = single(STEEP).reply(x_t, t, torch.ones_like(x_t), seed=4)
    check_left_alone("p_sample", reply.values["changed"], {"x_t": x_t, "t": t}, reply.tensors)
    reply = whole(STEEP).trace(silence, (2, 1, 8, 8), seed=4).result
    check_left_alone("sample", reply.values["changed"], {}, {})


@check("level4.behaviour.reproducible")
def test_reproducible(whole: BuildSampler, seed: int, measured: Measured) -> None:
    """torch.manual_seed before sampling reproduces the samples, and another seed gives others."""
    sampler, shape = whole(STEEP), (4, 1, 8, 8)
    first, again, other = (
        sampler.trace(silence, shape, seed=derive_seed("reproducible", seed, k)) for k in (1, 1, 2)
    )  # fmt: skip
    following = sampler.trace(silence, shape, seed=None)
    measured.update(check_reproducible(*(sampler.verified(trace, shape) for trace in (first, again))))
    check_not_repeated(other, following, first)


@check("level4.end_to_end")
def test_end_to_end(
    whole: BuildSampler, long: Schedule, step_kept: Once[None], measured_steps: Once[Steps], seed: int,
    show_picture: ShowPicture, measured: Measured,
) -> None:  # fmt: skip
    """With the perfect network for Gaussian images, 20 steep steps give samples of the right mean and spread."""
    sampler = whole(STEEP)
    trace = sampler.trace(end_to_end.GaussianOracle(STEEP), END_SHAPE, seed=derive_seed("end", seed))
    steps = steps_of(STEEP, trace.steps, trace.x, trace.eps, trace.result.tensors.get("y"))
    if len(steps) > 1:
        errors = step_errors(steps)
        show_picture("level4-steps.png", STEPS_TITLE, in_words(errors), lambda path: save_step_errors(errors, path))
    samples = sampler.verified(trace, END_SHAPE)
    if not end_to_end.is_right(samples):
        calls = trace.judged_steps(STEEP.T)
        judgements: dict[str, Callable[[], object]] = {
            "step.mean": lambda: step_mean(whole, measured_steps, seed),
            "step.variance": lambda: step_variance(whole, measured_steps, seed),
            "step.last_step": lambda: last_step(whole, long, measured_steps, seed),
            "step.fresh_noise": lambda: fresh_noise(whole, measured_steps, seed),
        }
        found = findings(judgements) if findings({"p_sample": step_kept}) == {"p_sample": None} else {}
        end_to_end.check_end_to_end(samples, calls=calls, found=found)
    measured.update(end_to_end.check_end_to_end(samples))
