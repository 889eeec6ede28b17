"""Whole samplings of DDIM: every step by Eq. 12, the Gaussian world, and images turned into noise and back."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from grader.checks.ddim_formulas import affine, ddim_mean, ddim_sigma, expected_moments, subsequence
from grader.checks.ddim_step import ENDS, Jump, end_mistake
from grader.checks.deviations import Deviation, largest, worst_of
from grader.checks.end_to_end import agrees, distances
from grader.checks.finding import CheckFailed, at_most, refuse_not_finite, tightest
from grader.checks.gaussian_world import GaussianOracle
from grader.checks.measure_step import Step
from grader.checks.samplings import Judged, judge_ends, judge_sampling
from grader.checks.subsequence import Subsequence
from grader.checks.transitions import Forms, mean_tolerance

DDIM = Forms({"Eq. 12": ddim_mean}, {"Eq. 16": ddim_sigma})
(FORM,) = DDIM.names
BACK = 2e-3  # how far an image may be from where it was, after the way to noise and back in float32


def judge(about: str, steps: Sequence[Step], result: Tensor, rounding: float = 0.0) -> Judged:
    """Hold a sampling against Eq. 12: where eta is 0 pixel by pixel, else as level 4's samplings are (transitions.py).

    Args:
        steps: by falling t, on one Subsequence, (B, C, H, W) each
        result: what `sample` returned, (B, C, H, W)
        rounding: relative, of what the network saw: half precision's epsilon if x was handed over in it, else 0
    """
    if subsequence(steps[0].schedule).eta:
        return judge_sampling(about, steps, result, rounding, DDIM)
    ends = judge_ends(steps, result, rounding)
    return Judged(about, len(steps), {FORM: largest([*ends, *(_exact(step, rounding) for step in steps[:-1])])})


def _exact(step: Step, rounding: float) -> Deviation:
    """A step without noise, against Eq. 12, pixel by pixel."""
    x, eps, out = step.x_t.double(), step.eps.double(), step.out.double()
    size = torch.stack([v.abs().max() for v in (x, eps, out)]).max().clamp(min=1)
    h = step.schedule.at(step.t)
    gain = math.sqrt(h.alpha_bar_prev / h.alpha_bar)  # of what x is off by
    allowed = size * (mean_tolerance(step.schedule, step.t) + rounding * (1 + gain))
    off = (out - ddim_mean(step.schedule, step.t, x, eps)).abs().max()
    return worst_of(off / allowed, "the step", [f"t = {subsequence(step.schedule).timesteps[step.t]}"])


LOOP = (
    "p_sample gets each visited timestep with the next one as t_prev, and −1 after the last; x becomes what it "
    "returns, and the last x is only clamped: for every number of steps, images and pixels."
)


def check_result(last: Step) -> None:
    """The last step of a sampling ends at alpha_bar = 1: of other failures it says nothing."""
    refuse_not_finite("the last step of a sampling", last)
    sub = subsequence(last.schedule)
    jump = Jump(Subsequence.jump(sub.whole, sub.timesteps[0], -1, sub.eta), 0, last.x_t, last.eps, last.out)
    if name := end_mistake(jump, last.out):
        raise CheckFailed(
            f"in a sampling of {sub.about}: expected the last step to end at alpha_bar = 1, got another end",
            ENDS[name], mistake=f"alpha_bar at the end is {name}",
        )  # fmt: skip


def check_moments(samples: Tensor, s: Subsequence, oracle: GaussianOracle) -> dict[str, float]:
    """Samples (B, C, H, W) of Gaussian pixels have the mean and spread that DDIM gives them in these steps, exactly.

    2 comparisons at 6 standard errors: 4e-9 false alarms.
    """
    refuse_not_finite("the samples", samples, oracle)
    n, right = samples.numel(), expected_moments(s, oracle)
    measured = samples.double().mean().item(), samples.double().std().item()
    if agrees(measured, right, n):
        return {"n": n, **tightest(*(at_most(*pair) for pair in distances(measured, right, n)))}
    raise CheckFailed(
        f"{s.about}: expected samples with mean {right[0]:.3f} and standard deviation {right[1]:.3f}, "
        f"got {measured[0]:.3f} and {measured[1]:.3f}",
        f"Look at the failed checks of single steps and of the trace first. {LOOP}",
        n=n, mean=measured[0], std=measured[1],
    )  # fmt: skip


# ---- to noise and back, eta = 0


def encode(s: Subsequence, oracle: GaussianOracle, x_0: Tensor) -> Tensor:
    """The x at the noisiest timestep from which DDIM without noise makes x_0, of any shape, float64, exactly."""
    x = x_0.double()
    for i in range(s.T):
        offset, gain = affine(s, oracle, i)
        x = (x - offset) / gain
    return x


def check_back(x_0: Tensor, back: Tensor, s: Subsequence) -> dict[str, float]:
    """Images turned into noise, and by p_sample, step by step, back: the same, but for rounding. (B, C, H, W)"""
    refuse_not_finite("what p_sample returned", x_0, back)
    off = (back.double() - x_0.double()).abs().max().item()
    measured = {"off": off} | at_most(off, BACK)
    if not off <= BACK:
        raise CheckFailed(
            f"{s.about}: expected the images that the noise was made from, got ones up to {off:.3g} away",
            "With eta = 0 a step of Eq. 12 can be undone: nothing is drawn, and neither x_0 nor x_t is clipped on the "
            "way. Look at the failed checks of single steps first.",
            **measured,
        )
    return measured


def check_decoded(
    x_T: Tensor, result: Tensor, s: Subsequence, oracle: GaussianOracle, rounding: float = 0.0
) -> dict[str, float]:  # fmt: skip
    """What sample makes of its x_T is what leads back to it, without noise: the same, but for rounding.

    Args:
        x_T, result: (B, C, H, W) each
        rounding: relative, of what the network saw: half precision's epsilon if x was handed over in it, else 0
    """
    refuse_not_finite("the samples", x_T, result, oracle)
    x = x_T.double()
    for i in reversed(range(s.T)):
        offset, gain = affine(s, oracle, i)
        x = gain * x + offset
    off, allowed = (result.double() - x.clamp(-1, 1)).abs().max().item(), BACK + 4 * rounding
    measured = {"off": off} | at_most(off, allowed)
    if not off <= allowed:
        raise CheckFailed(
            f"{s.about}: expected the images that x_T stands for, got ones up to {off:.3g} away",
            f"With eta = 0 the images follow from x_T alone. {LOOP}", **measured,
        )  # fmt: skip
    return measured


# ---- eta = 1 over all steps


def check_is_ddpm(jumps_excess: float, sampling: Judged) -> dict[str, float]:
    """With eta = 1 over all T steps it is DDPM with variance beta-tilde: Eq. 11, step by step. An exact identity.

    Args:
        jumps_excess: of p_sample's steps from t to t − 1, the largest deviation from Eq. 11, of what is allowed
        sampling: one over all T steps, held against the forms of level 4
    """
    found = sampling.deviations["eps form", "beta-tilde"]
    refuse_not_finite("a step", jumps_excess if jumps_excess != math.inf else 0.0)
    worst = max(jumps_excess, found.excess)
    measured = {"worst_of_allowed": worst} | at_most(worst, 1)
    single = not jumps_excess <= 1
    if not single and 0 <= found.excess <= 1:
        return measured
    raise CheckFailed(
        "expected the step of DDPM, Eq. 11 with variance beta-tilde, where eta = 1 and t_prev = t − 1, got "
        + (f"another one, off by {jumps_excess:.3g} times the tolerance" if single else f"{found.what} in sample"),
        "Eq. 12 with eta = 1 and t_prev = t − 1 is Eq. 11 of DDPM, to the last digit: compare the two, and sigma with "
        "the "
        "root of posterior_variance." if single else LOOP,
        **measured,
    )  # fmt: skip
