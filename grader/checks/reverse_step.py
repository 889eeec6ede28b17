"""One reverse step of a sampler against Algorithm 2 of Ho et al. 2020.

Requested: N = 2**17 scalars per step, t in {1, 2, T/2, T−1} of two schedules (T = 1000, and T = 20 with beta
0.01 → 0.4), inside inputs for the noise and both kinds for the mean. That makes 48 comparisons for the mean and 8 for
sigma, each at 6 standard errors (see measure_step.py): a right sampler fails less than once in a million gradings.
"""

import math

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, at_most, least_margin
from grader.checks.measure_step import (
    SILENT,
    Step,
    allowed_sigma,
    basis,
    coefficients,
    excess,
    fit,
    sigma_fits,
    spread,
)
from grader.checks.noise import most_alike, shape_problem
from grader.checks.sampler_mistakes import (
    RIGHT_MEANS,
    RIGHT_SIGMAS,
    WRONG_MEANS,
    WRONG_SIGMAS,
    Mean,
    Mistake,
    Sigma,
    eps_form,
)
from grader.checks.schedule import Schedule

# ---- naming


def mean_mistake(steps: list[Step]) -> Mistake[Mean] | None:
    """The wrong mean that fits every step, if no right one does."""

    def fits(mean: Mean) -> bool:
        return all(excess(step, mean) <= 1 for step in steps)

    if any(fits(mean) for mean in RIGHT_MEANS.values()):
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


def nearest_mistake(inside: list[Step], outside: list[Step]) -> str | None:
    """Name of the wrong formula, of the mean or of sigma, that fits what was measured."""
    found = mean_mistake(outside + inside) or sigma_mistake(inside)
    return found.name if found else None


# ---- the checks


def check_mean(inside: list[Step], outside: list[Step]) -> dict[str, float]:
    """The mean is that of Eq. 11, or of Eq. 7 with a clipped x_0: the same one at all steps.

    Args:
        inside, outside: 8 steps each (4 timesteps on 2 schedules), of N = 2**17 scalars, with the inputs of that name;
            3 comparisons per step at 6 standard errors
    """
    steps = inside + outside
    worst = {name: max(excess(step, mean) for step in steps) for name, mean in RIGHT_MEANS.items()}
    form = min(worst, key=worst.__getitem__)
    measured = {"worst_of_allowed": worst[form]} | at_most(worst[form], 1)
    if worst[form] <= 1:
        return {"steps": len(steps), "n": steps[0].x_t.numel(), **measured}
    step = max(outside, key=lambda s: excess(s, RIGHT_MEANS[form]))
    a, b = coefficients(step)
    right_a, right_b = (RIGHT_MEANS["eps form"](step.schedule, step.t, *_unit(i)).item() for i in (0, 1))
    found = mean_mistake(steps)
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


def check_variance(inside: list[Step]) -> dict[str, float]:
    """The noise has variance beta or beta-tilde, the same choice at every t ≥ 1 and on every schedule.

    Args:
        inside: 8 steps of N = 2**17 scalars; 1 comparison each, at 6 standard errors
    """
    measured = [(step, spread(step).std().item(), step.x_t.numel()) for step in inside]
    distance = {}
    for name, sigma in RIGHT_SIGMAS.items():
        right = [(m, n, sigma(step.schedule, step.t)) for step, m, n in measured]
        if all(sigma_fits(*values) for values in right):
            n, ratio = measured[0][2], max(abs(m / r - 1) for m, _, r in right)
            within = at_most(ratio, allowed_sigma(n))
            return {"steps": len(inside), "n": n, "worst_relative_error": ratio, f"is_{name}": 1, **within}
        distance[name] = [abs(math.log(max(m, 1e-30) / r)) for m, _, r in right]
    # the step that is furthest from both
    off = max(range(len(inside)), key=lambda i: min(d[i] for d in distance.values()))
    step, m, _ = measured[off]
    beta, tilde = (RIGHT_SIGMAS[name](step.schedule, step.t) for name in ("beta", "beta-tilde"))
    found = sigma_mistake(inside)
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
        inside: 8 steps of N = 2**17 scalars; 2 comparisons each, at 6 standard errors
    """
    numbers: dict[str, float] = {}
    for step in inside:
        z = spread(step)
        if z.std() < SILENT:  # check_variance reports it
            continue
        problem, found = shape_problem(z)
        numbers = found | (least_margin(numbers, found) if numbers else {})
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


LAST = 5e-3  # how far a pixel may be from the mean at t = 0: float32
AXES = {"columns": 4, "rows": 3, "channels": 2, "images of a batch": 1, "calls": 0}


def check_fresh_noise(noise: Tensor) -> dict[str, float]:
    """Noise (K, B, C, H, W) differs between pixels, channels, images and calls (or steps).

    At K = B = 8, C = 3, H = W = 16 these are under 500 pairs at 6 standard errors: 1e-6 false alarms.
    """
    if noise.square().mean().sqrt() < SILENT:
        raise NotJudged("no noise was added")
    axis, numbers = most_alike(noise, AXES)
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
        f"expected independent noise, got a correlation of {r:.2f} between {axis}", hints[axis], **numbers
    )


def check_last_step(s: Schedule, x_t: Tensor, eps: Tensor, first: Tensor, second: Tensor) -> dict[str, float]:
    """Two calls at t = 0 return the same: the mean. Nothing is random, so there is only a tolerance for float32.

    Args:
        x_t, eps: inside inputs, (B, C, H, W)
        first, second: what the two calls returned, after different seeds, (B, C, H, W)
    """
    difference = (first.double() - second.double()).abs().max().item()
    noise = ((first.double() - second.double()).std() / math.sqrt(2)).item()
    if noise > SILENT:
        raise CheckFailed(
            f"at t = 0: expected twice the same image, got images that differ by up to {difference:.3g} "
            f"(noise of standard deviation {noise:.3g})",
            "The last step adds no noise (Algorithm 2, line 3: z = 0). The last step here is t = 0, the paper's t = 1.",
            difference=difference, noise=noise,
        )  # fmt: skip
    x, e = x_t.double(), eps.double()
    off = min((first.double() - mean(s, 0, x, e)).abs().max().item() for mean in RIGHT_MEANS.values())
    measured = {"difference": difference, "off": off} | at_most(off, LAST)
    if off > LAST:
        unchanged = (first.double() - x).abs().max().item() < 1e-6
        raise CheckFailed(
            f"at t = 0: expected the mean without noise, got images up to {off:.3g} away from it",
            "x_t came back unchanged: at t = 0 the noise is left out, but the mean (Eq. 11) is still computed."
            if unchanged
            else "At t = 0 only the noise is left out; the mean is the same formula (Eq. 11) as at every other t.",
            **measured,
        )
    return measured


def check_mixed_t(s: Schedule, t: list[int], x_t: Tensor, eps: Tensor, out: Tensor) -> dict[str, float]:
    """In a batch with mixed t each image's mean and noise are those of its own t.

    3 comparisons for the mean and 1 for sigma per image; with 3 × 32 × 32 scalars each, sigma is known to 8 % at 6 s.e.

    Args:
        t: of each image, B of them
        x_t, eps, out: inside inputs and what p_sample returned, (B, C, H, W)
    """
    rows = [Step(s, step, x_t[i], eps[i], out[i]) for i, step in enumerate(t)]
    noise = [spread(row).std().item() for row in rows]
    n = x_t[0].numel()

    def own(row: Step, sigma: float, step: int) -> bool:
        as_if = Step(s, step, row.x_t, row.eps, row.out)
        right_sigma = any(sigma_fits(sigma, n, f(s, step)) for f in RIGHT_SIGMAS.values())
        silent_last = step == 0 and sigma < SILENT
        return (silent_last or (step > 0 and right_sigma)) and any(excess(as_if, m) <= 1 for m in RIGHT_MEANS.values())

    for i, row in enumerate(rows):
        if own(row, noise[i], row.t):
            continue
        other = next((step for step in dict.fromkeys(t) if step != row.t and own(row, noise[i], step)), None)
        what = (
            f"was treated as if its t were {other}" if other is not None
            else f"has noise of standard deviation {noise[i]:.3g}" if row.t == 0 and noise[i] > SILENT
            else "got no noise" if row.t > 0 and noise[i] < SILENT
            else "does not fit its own t"
        )  # fmt: skip
        raise CheckFailed(
            f"in a batch with t = {t}: expected each image to be stepped by its own t, "
            f"but image {i} (t = {row.t}) {what}",
            "Take every coefficient with diffusion.extract(…, t, x_t.shape), and decide on noise for each image: "
            "t[0] and .all() or .any() speak for the whole batch.",
            row=i, t=row.t, noise=noise[i],
        )  # fmt: skip
    margins = [at_most(min(excess(row, mean) for mean in RIGHT_MEANS.values()), 1) for row in rows]
    for row, sigma in zip(rows, noise, strict=True):
        if row.t:
            off = min(abs(sigma / right(s, row.t) - 1) for right in RIGHT_SIGMAS.values())
            margins.append(at_most(off, allowed_sigma(n)))
    return {"rows": len(rows), "n": n} | least_margin(*margins)
