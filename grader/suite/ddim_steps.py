"""Steps of DDIM, called and judged: what more than one check of level 5 asks for."""

import torch

from grader.checks import ddim_step
from grader.checks import fresh_noise as noise_checks
from grader.checks.ddim_formulas import ddim_mean, ddim_sigma, subsequence
from grader.checks.ddim_step import Jump
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.measure_step import Step, excess, inside_inputs, shares_noise, sigma_fits, spread
from grader.checks.reverse_step import check_gaussian
from grader.checks.schedule import Schedule
from grader.checks.step_errors import steps_of
from grader.checks.step_formulas import eps_form, sigma_beta_tilde
from grader.checks.telling_network import TellingNetwork
from grader.student.once import Once
from grader.student.trace import Trace
from grader.suite.drawn_sampler import Drawn
from grader.suite.fixtures_ddim import BuildDDIM, Jumps
from grader.suite.sampler_steps import Measured, generator

CALLS = 8  # of p_sample on the same x_t


def variance(measured_jumps: Once[Jumps]) -> Measured:
    """Sigma at every step, and that the noise is normal."""
    inside, _ = measured_jumps()
    try:
        measured = ddim_step.check_variance(inside)
        loud = [jump for jump in inside if subsequence(jump.schedule).eta]
        return measured | {"kurtosis": check_gaussian(list(loud))["kurtosis"]}
    except CheckFailed as failed:
        if any(map(shares_noise, inside)):
            raise NotJudged("waits for step.fresh_noise: pixels or images share their noise") from failed
        raise


def fresh_noise(build: BuildDDIM, measured_jumps: Once[Jumps], steep: Schedule, drawn: Drawn) -> Measured:
    """The noise of calls with the same x_t, and that along two whole samplings."""
    eta, shape = drawn.eta("fresh"), drawn.shape("few, noise", 6144, (5, 9), (2, 3))
    sampler = build(steep, 6, eta)
    t, t_prev = drawn.pairs("fresh", steep.T, 1)[0]
    x_t, eps = inside_inputs(steep, t, shape, generator(drawn, "few, fresh"))
    outs = torch.stack(
        [sampler.jump(t, t_prev, (x_t, eps), seed=drawn.number("few, fresh, z", k)).out for k in range(CALLS)]
    )
    # within a call the noise shows whatever the mean is; between calls, and between steps, it takes a right mean
    noise = noise_checks.call_noise(outs)
    if noise is not None:
        noise_checks.check_fresh_noise(noise, noise_checks.WITHIN)
    try:
        measured = noise_checks.check_fresh_noise(noise_checks.step_noise(x_t, eps, outs))
    except CheckFailed:
        wait_for_mean(measured_jumps)
        raise
    along = []
    for k in range(2):  # two, as noise may be kept from one sampling for the next
        network = TellingNetwork(steep, drawn.number("few, fresh, eps", k))
        trace = sampler.trace(network, shape, seed=drawn.number("few, fresh trace", k))
        along.append(_noise_along(sampler.visited(trace), trace))
    wait_for_mean(measured_jumps)
    return measured | noise_checks.check_fresh_noise(torch.cat(along))


def _noise_along(s: Schedule, trace: Trace) -> torch.Tensor:
    """The noise of all steps of a sampling but the last, each of variance 1: (S − 1, B, C, H, W)."""
    if trace.steps != s.visits:
        raise NotJudged("waits for trace.timesteps: other timesteps than asked for are visited")
    steps = steps_of(s, range(s.T - 1, -1, -1), trace.x, trace.eps, trace.result.tensors.get("y"))
    made = [
        (step.out.double() - ddim_mean(s, step.t, step.x_t.double(), step.eps.double())) / ddim_sigma(s, step.t)
        for step in steps if step.t
    ]  # fmt: skip
    if len(made) < s.T - 1:
        raise NotJudged("waits for end_to_end: x has run away on its way, or is not finite")
    return torch.stack(made)


def wait_for_mean(measured_jumps: Once[Jumps]) -> None:
    inside, outside = measured_jumps()
    if not ddim_step.has_right_mean([*inside, *outside]):
        raise NotJudged("waits for step.mean, which is what the noise of a step is measured from")


def calls_twice(
    build: BuildDDIM, schedule: Schedule, drawn: Drawn, purpose: str, pairs: list[tuple[int, int]], eta: float
) -> list[tuple[Jump, Jump]]:  # fmt: skip
    """Two calls after different seeds for each pair (t, t_prev), on the same inside inputs."""
    sampler, found = build(schedule, 5, eta, name=purpose), []
    for t, t_prev in pairs:
        shape = drawn.shape(f"{purpose} {schedule.T} {t}", 2048, (1, 20))
        inputs = inside_inputs(schedule, t, shape, generator(drawn, purpose, t))
        first, second = (sampler.jump(t, t_prev, inputs, seed=drawn.number(purpose, t, k)) for k in range(2))
        found.append((first, second))
    return found


def from_ddpm(build: BuildDDIM, schedule: Schedule, drawn: Drawn) -> float:
    """Eta = 1 and t_prev = t − 1: how far p_sample is from Eq. 11 with beta-tilde, of what is allowed; inf if sigma is.

    At every second t of a drawn schedule: 3 comparisons for the mean and 1 for sigma, at 6 standard errors.
    """
    sampler, worst = build(schedule, schedule.T, 1.0, name="ddpm"), 0.0
    for t in range(1, schedule.T, 2):
        shape = drawn.shape(f"ddpm {t}", 1 << 13, (1, 40))
        jump = sampler.jump(t, t - 1, inside_inputs(schedule, t, shape, generator(drawn, "ddpm", t)),
                            seed=drawn.number("ddpm, z", t))  # fmt: skip
        step = Step(schedule, t, jump.x_t, jump.eps, jump.out)
        z = spread(step)
        fits = sigma_fits(z.std().item(), len(z), sigma_beta_tilde(schedule, t))
        worst = max(worst, excess(step, eps_form) if fits else float("inf"))
    return worst
