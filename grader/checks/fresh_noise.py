"""Is the noise of reverse steps drawn anew for each pixel, channel, image and call?"""

import math

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, refuse_not_finite
from grader.checks.measure_step import SILENT, basis, fit
from grader.checks.noise import most_alike
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import eps_form

WITHIN = {"columns": 4, "rows": 3, "channels": 2, "images of a batch": 1}
AXES = {**WITHIN, "calls": 0}
SAME_NOISE = "the same noise in every step"


def step_noise(x_t: Tensor, eps: Tensor, outs: Tensor) -> Tensor:
    """The noise of K calls on the same x_t, eps (B, C, H, W): outs (K, B, C, H, W) minus their common linear fit."""
    x, e = (v.double().expand(outs.shape).flatten() for v in (x_t, eps))
    return fit(outs.double().flatten(), basis(x, e)[0])[1].view(outs.shape)


def trace_noise(s: Schedule, xs: Tensor, eps: Tensor) -> Tensor:
    """The noise of the steps of one sampling, by Eq. 11: xs, eps (T, B, C, H, W) as the network saw and answered them.

    Returns (K, B, C, H, W), each of variance 1: the K ≤ T−1 steps from t = T−1 down to 1 that add noise. The eps
    answered must keep x_0 inside [-1, 1], so that all forms agree.
    """
    made = [xs[i + 1].double() - eps_form(s, s.T - 1 - i, xs[i].double(), eps[i].double()) for i in range(s.T - 1)]
    loud = [z / z.std() for z in made if z.std() > SILENT]  # check_variance reports a step without noise
    return torch.stack(loud or made)


def call_noise(outs: Tensor) -> Tensor | None:
    """The noise of K calls on the same x_t and eps, whatever their mean: outs (K, B, C, H, W) minus their average.

    It is independent between pixels, channels and images, but not between calls. None where all calls return the same,
    or what is not finite.
    """
    noise = outs.double() - outs.double().mean(0)
    return noise if SILENT < noise.square().mean().sqrt() < math.inf else None


def check_fresh_noise(noise: Tensor, axes: dict[str, int] = AXES) -> dict[str, float]:
    """Noise (K, B, C, H, W) differs between pixels, channels, images and calls (or steps), or along some `axes`.

    At K = B = 8, C = 3, H = W = 16 these are under 500 pairs at 6 standard errors: 1e-6 false alarms.
    """
    refuse_not_finite("the noise of a step", noise)
    if noise.square().mean().sqrt() < SILENT:
        raise NotJudged("no noise was added")
    axis, numbers = most_alike(noise, axes)
    if axis is None:
        return numbers
    shape = "draw z with x_t's full shape, (B, C, H, W)"
    hints = {
        "columns": f"Every pixel gets noise of its own: {shape}.",
        "rows": f"Every pixel gets noise of its own: {shape}.",
        "channels": f"Every channel gets noise of its own: {shape}.",
        "images of a batch": f"Every image gets noise of its own: {shape}, not once for all of the batch.",
        "calls": "z is drawn anew in each step (Algorithm 2, line 3): not once before the loop, nor after a "
        "manual_seed, nor from a generator that is made in every call.",
    }
    r = numbers[f"correlation_between_{axis.replace(' ', '_')}"]
    raise CheckFailed(
        f"expected independent noise, got a correlation of {r:.2f} between {axis}", hints[axis],
        mistake=SAME_NOISE if axis == "calls" else None, **numbers,
    )  # fmt: skip
