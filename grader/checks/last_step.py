"""The last reverse step, t = 0: the mean, and no noise."""

import math

from torch import Tensor

from grader.checks.finding import CheckFailed, at_most, refuse_not_finite
from grader.checks.measure_step import SILENT, sigma_fits
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import RIGHT_MEANS, posterior_weights, x0_estimate

LAST = 5e-3  # how far a pixel may be from the mean at t = 0: float32
NOISE_AT_0 = "noise at t = 0"
ALPHA_BAR_PREV = (
    "Before the first step nothing has been noised, so alpha_bar_prev at t = 0 is 1: F.pad(alpha_bar[:-1], (1, 0), "
    "value=1.0). Yours isn't: alpha_bar[t − 1] takes the last entry at t = 0, and a repeated first entry or a 0 is "
    "wrong too. diffusion.posterior_variance has it right."
)


def _prev_at_0(s: Schedule) -> tuple[float, ...]:
    """What alpha_bar_prev at t = 0 is by mistake: the first entry, the last one (index −1), or a padded 0."""
    return s.alpha_bar[0].item(), s.alpha_bar[-1].item(), 0.0


def _noise_is_of_wrong_prev(s: Schedule, noise: float, n: int) -> bool:
    """Whether noise at t = 0 is that of beta-tilde with a wrong alpha_bar_prev."""
    h = s.at(0)
    return any(sigma_fits(noise, n, math.sqrt(h.beta * (1 - prev) / (1 - h.alpha_bar))) for prev in _prev_at_0(s))


def _mean_is_of_wrong_prev(s: Schedule, x: Tensor, eps: Tensor, out: Tensor) -> bool:
    """Whether the mean at t = 0 is that of Eq. 7 with a wrong alpha_bar_prev."""
    for prev in _prev_at_0(s):
        h = s.at(0)._replace(alpha_bar_prev=prev)
        c1, c2 = posterior_weights(h)
        x_0 = x0_estimate(h, x, eps)
        for estimate in (x_0, x_0.clamp(-1, 1)):
            mean = c1 * estimate + c2 * x
            if (out - mean).abs().max().item() <= LAST * max(1.0, mean.abs().max().item()):
                return True
    return False


def check_last_step(
    s: Schedule, x_t: Tensor, eps: Tensor, first: Tensor, second: Tensor, *, beta_tilde: bool = False,
    mean_is_right: bool = True,
) -> dict[str, float]:  # fmt: skip
    """Two calls at t = 0 return the same: the mean. Nothing is random, so there is only a tolerance for float32.

    Args:
        x_t, eps: inside inputs, (B, C, H, W)
        first, second: what the two calls returned, after different seeds, (B, C, H, W)
        beta_tilde: whether the other steps are known to have this variance; it decides the hint only
        mean_is_right: whether the other steps have a right mean; if not, that of this one is not asked for either
    """
    refuse_not_finite("what p_sample returned at t = 0", x_t, eps, first, second)
    difference = (first.double() - second.double()).abs().max().item()
    noise = ((first.double() - second.double()).std() / math.sqrt(2)).item()
    if not noise <= SILENT:
        raise CheckFailed(
            f"at t = 0: expected twice the same image, got images that differ by up to {difference:.3g} "
            f"(noise of standard deviation {noise:.3g})",
            ALPHA_BAR_PREV
            if beta_tilde and _noise_is_of_wrong_prev(s, noise, first.numel())
            else "The last step adds no noise (Algorithm 2, line 3: z = 0). The last step here is t = 0, the paper's "
            "t = 1: multiply the noise by (t > 0).view(-1, 1, 1, 1).",
            difference=difference, noise=noise, mistake=NOISE_AT_0,
        )  # fmt: skip
    x, e, out = x_t.double(), eps.double(), first.double()
    off = min((out - mean(s, 0, x, e)).abs().max().item() for mean in RIGHT_MEANS.values())
    if not mean_is_right:
        return {"difference": difference, "off": off}
    measured = {"difference": difference, "off": off} | at_most(off, LAST)
    if not off <= LAST:
        unchanged = (out - x).abs().max().item() < 1e-6
        raise CheckFailed(
            f"at t = 0: expected the mean without noise, got images up to {off:.3g} away from it",
            "x_t came back unchanged: at t = 0 the noise is left out, but the mean (Eq. 11) is still computed."
            if unchanged
            else ALPHA_BAR_PREV
            if _mean_is_of_wrong_prev(s, x, e, out)
            else "At t = 0 only the noise is left out; the mean is the same formula (Eq. 11) as at every other t.",
            **measured,
        )
    return measured
