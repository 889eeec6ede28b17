"""Level 5, optional: sampler.py's DDIMSampler, few steps with the same network. A test is a claim.

As in level 4 the judge answers in place of the network, everything is drawn, and whatever is seen of any call is kept
and judged (`ddim_record`). Whoever has not begun DDIMSampler fails nothing: the claims are not judged then.
"""

from typing import Any

import torch
from torch import Tensor

from assignment.ddpm.config import Config
from grader.check_ids import check
from grader.checks import ddim_samplings, ddim_step, ddim_timesteps
from grader.checks import sampler_calls as calls
from grader.checks.finding import CheckFailed, NotJudged, tightest
from grader.checks.measure_step import inside_inputs
from grader.checks.mixed_t import check_mixed_t
from grader.checks.own_work import scan_with_imports
from grader.checks.sampler_contract import check_left_alone, check_not_repeated, check_range, check_reproducible
from grader.checks.samplings import check_samplings, judge_sampling
from grader.checks.schedule import Schedule
from grader.checks.step_errors import steps_of
from grader.checks.subsequence import Subsequence
from grader.checks.telling_network import TellingNetwork
from grader.errors import SubmissionFailed
from grader.student.ddim_sampler import DDIMRecord
from grader.student.few_steps import few_step_fids, in_words, num_images
from grader.student.once import Once
from grader.student.sampler import Model
from grader.student.trace import Trace
from grader.submission.process import AnySubmission
from grader.suite import captions, ddim_steps
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures import ShowPicture, WithProgress, judge_own_work, unless_a_stub, unreadable
from grader.suite.fixtures_ddim import BuildDDIM, Jumps
from grader.suite.judge import Judge
from grader.suite.pictures import save_few_steps
from grader.suite.sampler_steps import generator
from grader.suite.trainings import Trainings

END_SCALARS = 1 << 15  # pixels of samples, for each number of steps
MIXED_CALLS = 4  # of p_sample for each t, so that noise shows as what differs between calls
STEPS = ((9, 11), (18, 22), (46, 54), (120, 240))  # of the samplings in the Gaussian world
# fewest and most timesteps, steps of the sampler (or how many less), scalars, fewest and most images, channels
OTHER_SIZES = ((6, 9, 2, 96, (2, 8), 1), (12, 40, -2, 360, (1, 1), 2), (45, 60, 17, 1200, (4, 9), 3))

Measured = dict[str, Any]


def add(measured: Measured, found: Measured) -> None:
    """What is measured again and again, with value and limit of what came closest to a failure."""
    measured.update(found | tightest(*(each for each in (measured, found) if "margin" in each)))


@check("level5.contract.builds")
def test_builds(build_ddim: BuildDDIM, long: Schedule, steep: Schedule, ddim_step_kept: Once[None]) -> None:
    """DDIMSampler(diffusion, device, steps, eta) can be built, and has the methods p_sample and sample."""
    unless_a_stub(ddim_step_kept)
    build_ddim(long, 10, 0.0)
    build_ddim(steep, steep.T, 1.0)


@check("level5.own_work")
def test_own_work(build_ddim: BuildDDIM, ddim_step_kept: Once[None], submission: AnySubmission) -> None:
    """The sampler is your own work: no ready-made schedulers."""
    unless_a_stub(ddim_step_kept)
    try:
        offences = scan_with_imports(submission.sources, "sampler.py")
    except (SyntaxError, ValueError) as error:
        raise unreadable("sampler.py", error) from error
    if offences and submission.trusted:
        raise NotJudged("not asked of the reference, which may use the library's sampler (--trusted)")
    judge_own_work(offences, ddim_step_kept)


@check("level5.contract.shapes")
def test_shapes(build_ddim: BuildDDIM, steep: Schedule, drawn: Drawn) -> None:
    """sample and p_sample return plain float tensors of the requested shape, on the device."""
    sampler, shape = build_ddim(steep, 5, drawn.eta("shapes")), drawn.shape("few, shapes", 192, (2, 5))
    t, t_prev = drawn.pairs("shapes", steep.T, 1)[0]
    generator = torch.Generator().manual_seed(drawn.number("few, shapes, x"))
    sampler.jump(t, t_prev, inside_inputs(steep, t, shape, generator), seed=drawn.number("few, shapes"))
    network = TellingNetwork(steep, drawn.number("few, shapes, eps"))
    sampler.sample(network, shape, seed=drawn.number("few, shapes"))


@check("level5.contract.range")
def test_range(few_steps: BuildDDIM, drawn: Drawn, measured: Measured) -> None:
    """Samples lie in [−1, 1], even if the network pushes them far out, and use both halves of that range."""
    schedule, shape = drawn.steep("few, range"), drawn.shape("few, range", 128, (2, 4))
    sampler = few_steps(schedule, 6, drawn.eta("range"))

    def pushing(push: float) -> Model:
        return lambda x, t: torch.full_like(x, push)

    driven = [sampler.sample(pushing(push), shape, seed=drawn.number("few, range")) for push in (-30, 30)]
    measured.update(check_range(torch.cat(driven)))


@check("level5.contract.other_sizes")
def test_other_sizes(build_ddim: BuildDDIM, drawn: Drawn) -> None:
    """Other numbers of timesteps, steps, images and channels work, also images that aren't square."""
    for i, (fewest, most, steps, scalars, images, channels) in enumerate(OTHER_SIZES):
        purpose = f"few, size {i}"
        schedule, shape = drawn.steep(purpose, fewest, most), drawn.shape(purpose, scalars, images, (channels,))
        sampler = build_ddim(schedule, steps if steps > 0 else schedule.T + steps, drawn.eta(purpose))
        network = TellingNetwork(schedule, drawn.number(purpose, "eps"))
        trace = sampler.trace(network, shape, seed=drawn.number(purpose))
        sampler.verified(trace, shape)
        ddim_timesteps.check_timesteps(trace.judged_steps(schedule.T), schedule.T, sampler.steps)


@check("level5.trace.timesteps")
def test_visits_the_chosen_timesteps(
    few_trace: Trace, long: Schedule, few: tuple[int, float], measured: Measured
) -> None:  # fmt: skip
    """The network is called at `steps` evenly spaced timesteps, from T − 1 down to 0, both included."""
    measured.update(ddim_timesteps.check_timesteps(few_trace.judged_steps(long.T), long.T, few[0]))


@check("level5.trace.integers")
def test_timesteps_are_integers(few_trace: Trace, device: str, measured: Measured) -> None:
    """The network is given t as integers, one per image, on the device."""
    dtypes, shapes, devices = (few_trace.of_t(key) for key in ("dtype", "shape", "device"))
    batch = len(few_trace.x[0]) if few_trace.x else 0
    measured.update(calls.check_timestep_tensors(dtypes, shapes, devices, batch, device))


@check("level5.trace.starts_from_noise")
def test_starts_from_noise(few_trace: Trace, measured: Measured) -> None:
    """Sampling starts from standard normal noise, independent for each image and pixel."""
    if not few_trace.x:
        raise NotJudged("the model was never called")
    measured.update(calls.check_starting_noise(few_trace.x[0]))


@check("level5.trace.eval_mode")
def test_eval_mode(few_trace: Trace, measured: Measured) -> None:
    """The network is in eval mode while sampling."""
    measured.update(calls.check_eval([bool(facts.get("training")) for facts in few_trace.facts]))


@check("level5.trace.no_grad")
def test_no_grad(few_trace: Trace, measured: Measured) -> None:
    """No gradients are recorded while sampling."""
    recorded = bool(few_trace.result.values.get("requires_grad"))
    measured.update(calls.check_no_grad([bool(facts.get("grad")) for facts in few_trace.facts], recorded))


@check("level5.step.mean")
def test_step_mean(
    far_step: BuildDDIM, measured_jumps: Once[Jumps], ddim_record: DDIMRecord, measured: Measured
) -> None:  # fmt: skip
    """A step from t to t_prev has the mean of Eq. 12, for every eta and every distance."""
    measured.update(ddim_step.check_mean(*measured_jumps()))
    if ddim_record.misasked:
        raise ddim_record.misasked[0]


@check("level5.step.variance")
def test_step_variance(far_step: BuildDDIM, measured_jumps: Once[Jumps], measured: Measured) -> None:
    """The noise of a step is normal, with the standard deviation of Eq. 16."""
    measured.update(ddim_steps.variance(measured_jumps))


@check("level5.step.fresh_noise")
def test_step_noise_is_fresh(
    far_step: BuildDDIM, few_steps: BuildDDIM, measured_jumps: Once[Jumps], steep: Schedule, drawn: Drawn,
    measured: Measured,
) -> None:  # fmt: skip
    """If eta is above 0, fresh noise is drawn for each step, image, channel and pixel."""
    measured.update(ddim_steps.fresh_noise(few_steps, measured_jumps, steep, drawn))


@check("level5.step.deterministic")
def test_no_noise_at_eta_0(
    far_step: BuildDDIM, long: Schedule, steep: Schedule, drawn: Drawn, measured: Measured
) -> None:  # fmt: skip
    """With eta = 0 a step adds no noise: from the same x_t it always returns the same."""
    for schedule in (long, steep):
        pairs = drawn.pairs("deterministic", schedule.T, 3)
        twice = ddim_steps.calls_twice(far_step, schedule, drawn, "deterministic", pairs, 0.0)
        add(measured, ddim_step.check_deterministic(twice))


@check("level5.step.last_step")
def test_last_step(far_step: BuildDDIM, long: Schedule, steep: Schedule, drawn: Drawn, measured: Measured) -> None:
    """The last step, to t_prev = −1, returns the estimate of x_0 without noise, whatever eta is."""
    for schedule in (long, steep):
        for eta in (0.0, 1.0):
            pairs = [(0, -1), (drawn.random("last", schedule.T).randint(1, 3), -1)]
            twice = ddim_steps.calls_twice(far_step, schedule, drawn, f"last {eta}", pairs, eta)
            add(measured, ddim_step.check_last_step(twice))


@check("level5.step.mixed_t")
def test_mixed_timesteps_in_one_batch(far_step: BuildDDIM, drawn: Drawn, measured: Measured) -> None:
    """In a batch with different t and t_prev, each image takes its own step."""
    schedule = drawn.steep("few, mixed")
    numbers = drawn.random("few, mixed")
    previous = {
        0: -1,
        1: 0,
        schedule.T - 1: numbers.randrange(4, 7),
        (t := numbers.randrange(8, schedule.T - 3)): t - 3,
    }
    ts = [0, t, schedule.T - 1, 0, 1]
    generator = torch.Generator().manual_seed(drawn.number("few, mixed"))
    _, *image = drawn.shape("few, mixed", 5 * 3 * 1024, (5, 5), (3, 4))
    inputs = [inside_inputs(schedule, step, (1, *image), generator) for step in ts]
    x_t, eps = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    sampler = far_step(schedule, 5, drawn.eta("mixed"))

    def outs(steps: list[int]) -> Tensor:
        t_prev = torch.tensor([previous[step] for step in steps])
        seeds = [drawn.number("few, mixed z", k) for k in range(MIXED_CALLS)]
        made = [sampler.p_sample(x_t, torch.tensor(steps), eps, seed=s, finite=False, t_prev=t_prev) for s in seeds]
        return torch.stack(made)

    alone = {step: outs([step] * len(ts)) for step in dict.fromkeys(ts)}
    measured.update(check_mixed_t(ts, x_t, eps, outs(ts), alone))


@check("level5.ddpm")
def test_is_ddpm(far_step: BuildDDIM, few_steps: BuildDDIM, drawn: Drawn, measured: Measured) -> None:
    """With eta = 1 over all T steps it is DDPM: every step is Eq. 11, with variance beta-tilde."""
    schedule = drawn.steep("ddpm")
    of_steps = ddim_steps.from_ddpm(far_step, schedule, drawn)
    sampler = few_steps(schedule, schedule.T, 1.0)
    shape = drawn.shape("ddpm", 4096, (4, 9))
    trace = sampler.trace(TellingNetwork(schedule, drawn.number("ddpm, eps")), shape, seed=drawn.number("ddpm"))
    result = sampler.verified(trace, shape)
    ddim_timesteps.check_timesteps(trace.judged_steps(schedule.T), schedule.T, schedule.T)
    steps = steps_of(schedule, trace.steps, trace.x, trace.eps, result)[::-1]
    if len(steps) < schedule.T:
        raise NotJudged("waits for end_to_end: x has run away on its way, or is not finite")
    whole = judge_sampling(schedule.about, steps, result, trace.rounding)
    measured.update(ddim_samplings.check_is_ddpm(of_steps, whole))


@check("level5.inversion")
def test_inversion(
    far_step: BuildDDIM, few_steps: BuildDDIM, long: Schedule, steep: Schedule, drawn: Drawn, measured: Measured
) -> None:  # fmt: skip
    """With eta = 0 sampling can be inverted: images turned into noise come back, and x_T alone decides."""
    for schedule, steps in ((long, drawn.random("back").randint(8, 14)), (steep, 6)):
        sampler, oracle = few_steps(schedule, min(steps, schedule.T), 0.0), drawn.oracle(schedule)
        shape = drawn.shape(f"back {schedule.T}", 2048, (2, 9))
        trace = sampler.trace(oracle, shape, seed=drawn.number("back", schedule.T))
        result = sampler.verified(trace, shape)
        ddim_timesteps.check_timesteps(trace.judged_steps(schedule.T), schedule.T, sampler.steps)
        s = sampler.visited(trace)
        x_0 = oracle.mean + oracle.std * torch.randn(shape, generator=generator(drawn, "back", schedule.T))
        x_0 = x_0.clamp(-0.95, 0.95)
        x = ddim_samplings.encode(s, oracle, x_0).float()
        for t, t_prev in zip(s.visits, [*s.visits[1:], -1], strict=True):
            x = sampler.jump(t, t_prev, (x, oracle(x, t)), seed=drawn.number("back, z", t)).out
        add(measured, ddim_samplings.check_back(x_0, x, s))
        add(measured, ddim_samplings.check_decoded(trace.x[0], result, s, oracle, trace.rounding))


@check("level5.behaviour.leaves_alone")
def test_leaves_everything_alone(
    far_step: BuildDDIM, few_steps: BuildDDIM, drawn: Drawn, settings: Config, ddim_record: DDIMRecord
) -> None:  # fmt: skip
    """Sampling leaves the schedule, the model, x_t, t and t_prev unchanged."""
    schedule = drawn.steep("few, alone")
    shape, t = (drawn.random("few, alone").randint(3, 6), *settings.model.image_shape), schedule.T - 1
    x_t, eps = inside_inputs(schedule, t, shape, torch.Generator().manual_seed(drawn.number("few, alone, x")))
    steps = torch.tensor([0, t, *[t // 2] * (len(x_t) - 2)])
    few = far_step(schedule, 5, drawn.eta("alone"), name="first few")
    few.reply(x_t, steps, eps, seed=drawn.number("few, alone"), t_prev=steps // 2 - 1)
    sampler = few_steps(schedule, 5, drawn.eta("alone"), name="second few", shares_with="first few")
    network = TellingNetwork(schedule, drawn.number("few, alone, eps"))
    sampler.trace(network, shape, seed=drawn.number("few, alone, second"))
    check_left_alone(ddim_record.changed)


@check("level5.behaviour.reproducible")
def test_reproducible(few_steps: BuildDDIM, drawn: Drawn, settings: Config, measured: Measured) -> None:
    """torch.manual_seed before sampling reproduces the samples; another seed gives different ones."""
    schedule = drawn.steep("few, reproducible")
    shape = (drawn.random("few, reproducible").randint(3, 6), *settings.model.image_shape)
    sampler = few_steps(schedule, 6, drawn.eta("reproducible"))

    def sampling(seed: int | None) -> Trace:
        return sampler.trace(drawn.oracle(schedule), shape, seed=seed)  # with it, images depend on the noise

    first, again, other = (sampling(drawn.number("few, reproducible", k)) for k in (1, 1, 2))
    following = sampling(None)
    measured.update(check_reproducible(*(sampler.verified(trace, shape) for trace in (first, again))))
    check_not_repeated(other, following, first)


@check("level5.end_to_end")
def test_end_to_end(
    few_steps: BuildDDIM, long: Schedule, few: tuple[int, float], few_trace_once: Once[Trace], drawn: Drawn,
    ddim_record: DDIMRecord, measured: Measured,
) -> None:  # fmt: skip
    """Sampling denoises in about 10, 20, 50 and more steps: every step is Eq. 12's, and mean and spread are right."""
    first = few_trace_once()
    _name_the_end(few_steps(long, *few).visited(first), first)
    oracle = drawn.oracle(long)
    for (fewest, most), eta in zip(STEPS, (0.0, drawn.eta("end"), 1.0, drawn.eta("many")), strict=True):
        steps = min(drawn.random("few, end", most).randint(fewest, most), long.T)
        for each in dict.fromkeys((0.0, eta) if most < 100 else (eta,)):
            sampler = few_steps(long, steps, each)
            shape = drawn.shape(f"few, end {steps} {each}", END_SCALARS, (20, 40))
            trace = sampler.trace(oracle, shape, seed=drawn.number("few, end", steps, str(each)))
            samples = sampler.verified(trace, shape)
            add(measured, ddim_samplings.check_moments(samples, sampler.visited(trace), oracle))
    add(measured, check_samplings(ddim_record.samplings, None, "Eq. 12's"))


@check("level5.samples.few_steps")
def test_samples_in_few_steps(
    build_ddim: BuildDDIM, trainings: Trainings, with_progress: WithProgress, judge: Judge, show_picture: ShowPicture,
    measured: Measured,
) -> None:  # fmt: skip
    """Your trained network draws in 10, 20 and 50 steps: the FID of DDIM beside that of DDPM, for information only."""
    samples = trainings.of(1).samples
    try:
        samples.trained.network()
    except (CheckFailed, SubmissionFailed) as error:
        raise NotJudged(f"there is no trained network to draw from: {error.message}") from error
    with with_progress():
        found = few_step_fids(samples)
    measured.update({name: {str(steps): fid for steps, fid in of.items()} for name, of in found.items()})
    says, title = in_words(found), "FID by number of steps"
    judge.inform(title, f"{says}; {num_images(samples)} images each, drawn with the reference samplers")
    alt = f"Two lines, the FID by number of steps: {says}"
    show_picture("level5-few-steps.png", title, alt, captions.FEW_STEPS, lambda path: save_few_steps(found, path))


def _name_the_end(s: Subsequence, trace: Trace) -> None:
    result = trace.result.tensors.get("y")
    made = steps_of(s, range(s.T - 1, -1, -1), trace.x, trace.eps, result) if trace.steps == s.visits else []
    if made and made[0].t == 0:
        ddim_samplings.check_result(made[0])
