"""One step of DDIM from t to t_prev, against Eqs. 12 and 16 of Song et al. 2021.

Measured as the steps of level 4 are (measure_step.py): for each of two schedules and three etas, 0, a drawn one and 1,
N = 2**16 scalars at two drawn pairs (t, t_prev), and N = 2**13 at eight more, with inside inputs for the noise and both
kinds for the mean. That is 3 comparisons for the mean of each of 120 steps, and 60 for sigma, at 6 standard errors
(2e-9): a right sampler fails in under 1e-6 of gradings. Where eta is 0 nothing is random, and the tolerances for
float32 are all that is allowed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from grader.checks.ddim_formulas import ddim_mean, ddim_sigma, subsequence
from grader.checks.ddim_mistakes import WRONG_MEANS, WRONG_SIGMAS, mean_that_goes_with
from grader.checks.finding import CheckFailed, NotJudged, at_most, refuse_not_finite
from grader.checks.measure_step import SILENT, Step, allowed_sigma, coefficients, excess, sigma_fits, spread
from grader.checks.step_formulas import Mean, Mistake, Sigma

LAST = 5e-3  # how far a pixel may be from where nothing is random: float32, as in last_step.py


@dataclass(frozen=True)
class Jump(Step):
    """A step of DDIM; its schedule is the Subsequence of the one jump, and its t the noisier one's number there."""

    @property
    def pair(self) -> tuple[int, int]:
        """t and t_prev."""
        sub = subsequence(self.schedule)
        return sub.timesteps[self.t], sub.timesteps[self.t - 1] if self.t else -1

    @property
    def where(self) -> str:
        sub, (t, t_prev) = subsequence(self.schedule), self.pair
        return f"t = {t}, t_prev = {t_prev} of T = {sub.whole.T}, eta = {sub.eta:g}"

    def off(self, mean: Mean) -> float:
        """How far the mean is from a formula's, of what is allowed (measure_step.py), relative to its size.

        Over a great distance x_0 stands for 100 times as much as x_t, and float32 is that much coarser.
        """
        x, eps, _ = self.flat
        size = max(1.0, ddim_mean(self.schedule, self.t, x, eps).square().mean().sqrt().item())
        return excess(replace(self, out=self.out / size), lambda s, i, x, eps: mean(s, i, x, eps) / size)

    def sigma_fits(self, sigma: Sigma) -> bool:
        z = spread(self)
        return sigma_fits(z.std().item(), len(z), sigma(self.schedule, self.t))


Jumps = Sequence[Jump]


def has_right_mean(jumps: Jumps) -> bool:
    return all(jump.off(ddim_mean) <= 1 for jump in jumps)


def mean_mistake(jumps: Jumps) -> Mistake[Mean] | None:
    """The wrong mean that fits every step."""
    return next((m for m in WRONG_MEANS if any(_all_fit(jumps, mean) for mean in m.formulas)), None)


def sigma_mistake(inside: Jumps) -> Mistake[Sigma] | None:
    """The wrong sigma that fits every step, if the right one doesn't."""
    if all(jump.sigma_fits(ddim_sigma) for jump in inside):
        return None
    measured = [(jump, spread(jump).std().item()) for jump in inside]

    def fits(sigma: Sigma) -> bool:
        return all(sigma_fits(z, jump.x_t.numel(), sigma(jump.schedule, jump.t)) for jump, z in measured)

    return next((m for m in WRONG_SIGMAS if any(map(fits, m.formulas))), None)


def _all_fit(jumps: Jumps, mean: Mean) -> bool:
    return all(jump.off(mean) <= 1 for jump in jumps)


def check_mean(inside: Jumps, outside: Jumps) -> dict[str, float]:
    """The mean is that of Eq. 12. A wrong sigma that stands in it as well is for check_variance to say.

    Args:
        inside, outside: steps with the inputs of that name; 3 comparisons for each, at 6 standard errors
    """
    jumps = [*inside, *outside]
    refuse_not_finite("what p_sample returned", jumps)
    worst = max(jump.off(ddim_mean) for jump in jumps)
    measured = {"worst_of_allowed": worst} | at_most(worst, 1)
    if worst <= 1:
        return {"steps": len(jumps), **measured}
    if (wrong := sigma_mistake(inside)) and any(_all_fit(jumps, mean) for mean in mean_that_goes_with(wrong)):
        raise NotJudged("waits for step.variance: the mean is right for the sigma that yours has, which is wrong")
    jump = max(outside, key=lambda j: j.off(ddim_mean))
    a, b = coefficients(jump)
    right_a, right_b = (ddim_mean(jump.schedule, jump.t, *unit).item() for unit in _units(jump))
    found = mean_mistake(jumps)
    raise CheckFailed(
        f"at {jump.where}: expected a mean of {right_a:.4g} · x_t {right_b:+.4g} · eps, "
        f"got {a:.4g} · x_t {b:+.4g} · eps",
        found.hint
        if found
        else "Compare your lines with Eq. 12 of Song et al. 2021 part by part: the x_0 estimate, the direction "
        "pointing to x_t, and which of them takes alpha_bar at t, which at t_prev. Its alpha is our alpha_bar.",
        mistake=found.name if found else None,
        expected=[right_a, right_b], measured=[a, b], **measured,
    )  # fmt: skip


def _units(jump: Jump) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    one, zero = jump.x_t.new_ones(1).double(), jump.x_t.new_zeros(1).double()
    return (one, zero), (zero, one)


def check_variance(inside: Jumps) -> dict[str, float]:
    """The noise has the standard deviation of Eq. 16, for every eta and every pair of timesteps.

    Args:
        inside: steps with inside inputs; 1 comparison for each, at 6 standard errors
    """
    refuse_not_finite("what p_sample returned", inside)
    measured = [
        (jump, spread(jump).std().item(), ddim_sigma(jump.schedule, jump.t), allowed_sigma(jump.x_t.numel()))
        for jump in inside
    ]
    off = [
        abs(z / right - 1) / allowed if right >= SILENT else z / SILENT for _, z, right, allowed in measured
    ]  # fmt: skip
    worst = max(off)
    numbers = {"steps": len(inside), "worst_of_allowed": worst} | at_most(worst, 1)
    if worst <= 1:
        return numbers
    jump, z, right, _ = measured[off.index(worst)]
    found = sigma_mistake(inside)
    raise CheckFailed(
        f"at {jump.where}: expected noise of standard deviation {right:.4g}, got {z:.4g}",
        found.hint if found else "Look at the line for sigma: Eq. 16 with eta, alpha_bar at t and alpha_bar at t_prev.",
        mistake=found.name if found else None, expected=right, measured=z, **numbers,
    )  # fmt: skip


def check_deterministic(pairs: Sequence[tuple[Jump, Jump]]) -> dict[str, float]:
    """With eta = 0 two calls after different seeds return the same. Nothing is random, but for rounding.

    Args:
        pairs: two calls each on the same x_t and eps
    """
    worst = 0.0
    for first, second in pairs:
        refuse_not_finite("what p_sample returned", first, second)
        off = (first.out.double() - second.out.double()).abs().max().item()
        worst = max(worst, off)
        if not off <= SILENT:
            raise CheckFailed(
                f"at {first.where}: expected twice the same images, got ones that differ by up to {off:.3g}",
                "With eta = 0 sigma is 0, and nothing is drawn: multiply z by sigma, and sigma by eta (Eq. 16).",
                difference=off, mistake="noise at eta = 0",
            )  # fmt: skip
    return {"calls": 2 * len(pairs), "difference": worst} | at_most(worst, SILENT)


# ---- the last step


def _prev_at_the_end(jump: Jump) -> dict[str, float]:
    """What alpha_bar_prev is by mistake where t_prev is −1."""
    whole = subsequence(jump.schedule).whole
    return {"the last entry": whole.alpha_bar[-1].item(), "alpha_bar[0]": whole.alpha_bar[0].item(), "0": 0.0}


ENDS = {
    "the last entry": "alpha_bar[t_prev] with t_prev = −1 is the *last* entry of the tensor, that of pure noise; "
    "behind the last step there is no noise left, so it is 1 there: torch.where(t_prev < 0, 1.0, alpha_bar[t_prev]).",
    "alpha_bar[0]": "The last step goes to the image itself, where alpha_bar is 1; yours goes to alpha_bar[0], which "
    "leaves the noise of t = 0 in it (a clamp of t_prev at 0 does that).",
    "0": "Behind the last step there is no noise left, so alpha_bar is 1 there; yours is 0.",
}


def end_mistake(jump: Jump, out: Tensor) -> str | None:
    """Which wrong alpha_bar_prev a last step has had, if the right one doesn't fit; out may be clamped as a result."""
    x, eps = jump.x_t.double(), jump.eps.double()
    h = jump.schedule.at(0)
    x_0 = (x - math.sqrt(1 - h.alpha_bar) * eps) / math.sqrt(h.alpha_bar)
    for name, prev in {"": 1.0, **_prev_at_the_end(jump)}.items():
        made = math.sqrt(prev) * x_0 + math.sqrt(1 - prev) * eps
        if any((out.double() - image).abs().max().item() <= LAST for image in (made, made.clamp(-1, 1))):
            return name or None
    return None


def check_last_step(pairs: Sequence[tuple[Jump, Jump]]) -> dict[str, float]:
    """The step from t to −1 returns the estimate of x_0, without noise, whatever eta is: only float32 is allowed for.

    Args:
        pairs: two calls each after different seeds, on inside inputs
    """
    worst = 0.0
    for first, second in pairs:
        refuse_not_finite("what p_sample returned at t_prev = −1", first, second)
        right = ddim_mean(first.schedule, 0, first.x_t.double(), first.eps.double())
        off = max((jump.out.double() - right).abs().max().item() for jump in (first, second))
        worst = max(worst, off)
        if off <= LAST:
            continue
        noise = (first.out.double() - second.out.double()).abs().max().item()
        name = None if noise > SILENT else end_mistake(first, first.out)
        raise CheckFailed(
            f"at {first.where}: expected the estimate of x_0, got images up to {off:.3g} away from it"
            + (", and others in each call" if noise > SILENT else ""),
            ENDS[name] if name
            else "The last step adds no noise: with alpha_bar_prev = 1 sigma is 0 by Eq. 16. Mind that alpha_bar[−1] "
            "is the last entry of the tensor." if noise > SILENT
            else "With alpha_bar_prev = 1 and sigma = 0 only the first part of Eq. 12 is left, the estimate of x_0.",
            mistake=name and f"alpha_bar at the end is {name}", off=off,
        )  # fmt: skip
    return {"steps": len(pairs), "off": worst} | at_most(worst, LAST)
