"""One reverse step of a sampler against Algorithm 2 of Ho et al. 2020.

Requested: N = 2**17 scalars at t = 1, 2, T − 1 and a drawn one, of the configuration's schedule and of a drawn, steep
one, to tell formulas apart; and N = 2**13, in drawn shapes, at 15 t of the one, all t of the other, and all of a third
one of the same length. Inside inputs for the noise, both kinds for the mean: at most 414 comparisons for the mean, 69
for sigma, and 16 for the distribution, each at 6 standard errors (2e-9; see measure_step.py). A right sampler fails in
about 1e-6 of gradings.
"""

import math

import torch
from torch import Tensor

from grader.checks.deviations import MANY
from grader.checks.finding import CheckFailed, NotJudged, at_most, refuse_not_finite, tightest
from grader.checks.measure_step import SILENT, Step, allowed_sigma, coefficients, excess, sigma_fits, spread
from grader.checks.noise import shape_problem
from grader.checks.own_schedules import OWN_SCHEDULE
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS, Mean, Mistake, Sigma, sigma_beta_tilde
from grader.checks.wrong_means import WRONG_MEANS
from grader.checks.wrong_sigmas import WRONG_SIGMAS

# ---- naming


def has_right_mean(inside: list[Step], outside: list[Step]) -> bool:
    """Whether check_mean holds."""
    return any(all(excess(step, mean) <= 1 for step in inside + outside) for mean in RIGHT_MEANS.values())


def has_beta_tilde(inside: list[Step]) -> bool:
    """Whether the noise has variance beta-tilde in all steps."""
    return all(
        sigma_fits(spread(step).std().item(), step.x_t.numel(), sigma_beta_tilde(step.schedule, step.t))
        for step in inside
    )


def right_forms(inside: list[Step], outside: list[Step]) -> set[tuple[str, str]]:
    """The right (mean, variance) that the steps may be of."""
    measured = [(step, spread(step)) for step in inside]
    return {
        (mean, sigma)
        for mean, of_mean in RIGHT_MEANS.items() if all(excess(step, of_mean) <= 1 for step in inside + outside)
        for sigma, of_sigma in RIGHT_SIGMAS.items()
        if all(sigma_fits(z.std().item(), len(z), of_sigma(step.schedule, step.t)) for step, z in measured)
    }  # fmt: skip


def mean_mistake(steps: list[Step]) -> Mistake[Mean] | None:
    """The wrong mean that fits every step, if no right one does."""

    def fits(mean: Mean) -> bool:
        return all(excess(step, mean) <= 1 for step in steps)

    if has_right_mean(steps, []):
        return None
    return next((mistake for mistake in WRONG_MEANS if any(map(fits, mistake.formulas))), None)


def sigma_mistake(steps: list[Step]) -> Mistake[Sigma] | None:
    """The wrong sigma that fits every step, if no right one does."""
    measured = [(step, spread(step)) for step in steps]

    def fits(sigma: Sigma) -> bool:
        return all(sigma_fits(z.std().item(), len(z), sigma(step.schedule, step.t)) for step, z in measured)

    if any(fits(sigma) for sigma in RIGHT_SIGMAS.values()):
        return None
    return next((mistake for mistake in WRONG_SIGMAS if any(map(fits, mistake.formulas))), None)


# ---- the checks


OWN_STEPS = "a schedule of its own"
OWN_STEPS_HINT = f"Your steps are the same on every schedule that `diffusion` may have: {OWN_SCHEDULE}"


def check_mean(inside: list[Step], outside: list[Step], *, own_schedule: bool = False) -> dict[str, float]:
    """The mean is that of Eq. 11, or of Eq. 7 with a clipped x_0: the same one at all steps.

    Args:
        inside, outside: steps with the inputs of that name; 3 comparisons for each, at 6 standard errors
        own_schedule: whether the steps were seen not to depend on the schedule; it decides the hint only
    """
    steps = inside + outside
    refuse_not_finite("what p_sample returned", steps)
    worst = {name: max(excess(step, mean) for step in steps) for name, mean in RIGHT_MEANS.items()}
    form = min(worst, key=worst.__getitem__)
    measured = {"worst_of_allowed": worst[form]} | at_most(worst[form], 1)
    if worst[form] <= 1:
        return {"steps": len(steps), **measured}
    step = max(outside, key=lambda s: excess(s, RIGHT_MEANS[form]))
    a, b = coefficients(step)
    right_a, right_b = (RIGHT_MEANS["eps form"](step.schedule, step.t, *_unit(i)).item() for i in (0, 1))
    found = mean_mistake(steps)
    if found is None and own_schedule:
        found = Mistake(OWN_STEPS, OWN_STEPS_HINT, ())
    raise CheckFailed(
        f"at {step.where}: expected a mean of {right_a:.4g} · x_t {right_b:+.4g} · eps, "
        f"got {a:.4g} · x_t {b:+.4g} · eps",
        found.hint
        if found
        else "Compare your line for the mean with Eq. 11 of Ho et al. 2020 factor by factor: which alpha, which "
        "alpha_bar, which root. Eq. 7 with x_0 clipped to [-1, 1] is right too.",
        mistake=found.name if found else None,
        expected=[right_a, right_b], measured=[a, b], **measured,
    )  # fmt: skip


def _unit(i: int) -> tuple[Tensor, Tensor]:
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    return (one, zero) if i == 0 else (zero, one)


def check_variance(inside: list[Step], *, own_schedule: bool = False) -> dict[str, float]:
    """The noise has variance beta or beta-tilde, the same choice at every t ≥ 1 and on every schedule.

    Args:
        inside: steps with inside inputs; 1 comparison for each, at 6 standard errors
        own_schedule: see check_mean
    """
    refuse_not_finite("what p_sample returned", inside)
    measured = [(step, spread(step).std().item(), step.x_t.numel()) for step in inside]
    distance = {}
    for name, sigma in RIGHT_SIGMAS.items():
        right = [(m, n, sigma(step.schedule, step.t)) for step, m, n in measured]
        if all(sigma_fits(*values) for values in right):
            worst = max(abs(m / r - 1) / allowed_sigma(n) for m, n, r in right)
            return {"steps": len(inside), "worst_of_allowed": worst, f"is_{name}": 1, **at_most(worst, 1)}
        distance[name] = [abs(math.log(max(m, 1e-30) / r)) for m, _, r in right]
    # the step that is furthest from both
    off = max(range(len(inside)), key=lambda i: min(d[i] for d in distance.values()))
    step, m, _ = measured[off]
    beta, tilde = (RIGHT_SIGMAS[name](step.schedule, step.t) for name in ("beta", "beta-tilde"))
    found = sigma_mistake(inside)
    if found is None and own_schedule:
        found = Mistake(OWN_STEPS, OWN_STEPS_HINT, ())
    raise CheckFailed(
        f"at {step.where}: expected noise of standard deviation {tilde:.4g} (beta-tilde) or {beta:.4g} (beta), "
        f"the same choice at every t; got {m:.4g}",
        found.hint
        if found
        else "Look at the line that scales z: it needs the root of the variance, beta-tilde (Eq. 7) or beta, at t.",
        mistake=found.name if found else None,
        sigma_beta=beta, sigma_beta_tilde=tilde, measured=m,
    )  # fmt: skip


def check_gaussian(inside: list[Step]) -> dict[str, float]:
    """The noise of each step is normally distributed: kurtosis 3, skewness 0.

    Args:
        inside: steps with inside inputs; 2 comparisons for each that has MANY scalars, at 6 standard errors
    """
    refuse_not_finite("what p_sample returned", inside)
    numbers: dict[str, float] = {}
    for step in inside:
        z = spread(step)
        if z.std() < SILENT or len(z) < MANY:  # check_variance reports the former
            continue
        problem, found = shape_problem(z)
        numbers = found | (tightest(numbers, found) if numbers else {})
        if problem:
            raise CheckFailed(
                f"at {step.where}: expected normally distributed noise, got {problem}",
                "z in Algorithm 2 is drawn from N(0, I). torch.rand is uniform on [0, 1), torch.randn is normal; "
                "and a clamp on x_{t-1} cuts the tails off.",
                **numbers,
            )
    if not numbers:
        raise NotJudged("no noise was added at any t")
    return numbers
