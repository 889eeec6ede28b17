"""How far each step of one sampling is from the right one: for a picture; no verdict depends on it.

The judge answered as GaussianOracle, so eps is linear in x_t and a step's output is fitted by [1, x_t]. The fit's
difference from the right mean is the error of the mean, the residual is sigma z. The limits are those of
reverse_step.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from grader.checks.measure_step import MEAN_TOLERANCE, SIGMA_TOLERANCE, SILENT, Step
from grader.checks.noise import Z
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS, Mean, Sigma

FAR = 1e4  # beyond it float32 has no digits left for the noise of a step


@dataclass(frozen=True)
class StepError:
    """At one t; all errors relative to sqrt(beta_t), the noise of a step."""

    t: int
    mean: float
    mean_limit: float
    sigma: float
    sigma_limit: float


def steps_of(
    s: Schedule, ts: Sequence[int], xs: Sequence[Tensor], eps: Sequence[Tensor], result: Tensor | None
) -> list[Step]:
    """The steps of a sampling by rising t, each from x as the network saw it at t to x as it saw it at t − 1.

    Calls in the wrong order make no step and are left out, as are values that are not finite or have run away.

    Args:
        ts: of each call
        xs, eps: what the network saw and what it answered, (B, C, H, W) for each call
        result: (B, C, H, W), what `sample` returned, if that was a tensor
    """
    found = {}
    for t, below, x, e, out in zip(ts, [*ts, -1][1:], xs, eps, [*xs, result][1:], strict=True):
        if not 0 <= t < s.T or below != t - 1:
            continue
        if out is None or (out.shape, out.dtype) != (x.shape, x.dtype):
            continue
        if all(values.abs().max().item() < FAR for values in (x, e, out)):
            found[t] = Step(s, t, x, e, out)
    return [found[t] for t in sorted(found)]


def step_errors(steps: list[Step]) -> list[StepError]:
    """Measured from the nearest right form, the same one at every t, as in the checks."""
    units = [math.sqrt(step.schedule.at(step.t).beta) for step in steps]

    def distance(errors: list[float]) -> float:
        return sum(error / unit for error, unit in zip(errors, units, strict=True))

    # at t = 0 either form will do, as a sampling clips its result
    fits = [
        [min(_fit(step, right) for right in ([form] if step.t else RIGHT_MEANS.values())) for step in steps]
        for form in RIGHT_MEANS.values()
    ]
    fitted = min(fits, key=lambda of_form: distance([error for error, _ in of_form]))
    sigmas = [[_right_sigma(step, form) for step in steps] for form in RIGHT_SIGMAS.values()]
    sigma = min(sigmas, key=lambda right: distance([abs(z - r) for (_, z), r in zip(fitted, right, strict=True)]))
    return [
        StepError(
            step.t,
            mean=error / unit,
            mean_limit=(Z * z / math.sqrt(step.x_t.numel()) + MEAN_TOLERANCE) / unit,
            sigma=abs(z - right) / unit,
            sigma_limit=max(SILENT, right * (Z / math.sqrt(2 * step.x_t.numel()) + SIGMA_TOLERANCE)) / unit,
        )
        for step, unit, (error, z), right in zip(steps, units, fitted, sigma, strict=True)
    ]


def in_words(found: list[StepError]) -> str:
    """What the picture shows, in words."""
    lines = {
        "the mean": [(e.t, e.mean, e.mean_limit) for e in found],
        "the standard deviation": [(e.t, e.sigma, e.sigma_limit) for e in found],
    }
    says = []
    for name, errors in lines.items():
        t, worst, _ = max(errors, key=lambda error: error[1])
        beyond = [t for t, error, limit in errors if error > limit]
        where = f"beyond the limit at t = {_ranges(beyond)}" if beyond else "within the limit at every t"
        says.append(f"{name} is off by up to {100 * worst:.3g} % (at t = {t}), {where}")
    return f"Two lines by t, in percent of a step's noise: {'; '.join(says)}"


def _ranges(numbers: list[int]) -> str:
    """Rising numbers, consecutive ones joined: 1 … 4, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} … {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _fit(step: Step, form: Mean) -> tuple[float, float]:
    """The error of the mean, as its root mean square over the pixels, and the standard deviation of the noise."""
    x, eps, out = step.flat
    off = out - form(step.schedule, step.t, x, eps)
    x = (x - x.mean()) / x.std().clamp(min=1e-30)
    constant, slope = off.mean(), (off * x).mean()
    return math.hypot(constant, slope), (off - constant - slope * x).std().item()


def _right_sigma(step: Step, form: Sigma) -> float:
    return form(step.schedule, step.t) if step.t else 0.0
