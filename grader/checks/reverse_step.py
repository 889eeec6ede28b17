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
    MEAN_TOLERANCE,
    SIGMA_TOLERANCE,
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
from grader.checks.noise import Z, most_alike, shape_problem
from grader.checks.sampler_mistakes import (
    OWN_SCHEDULE,
    RIGHT_MEANS,
    RIGHT_SIGMAS,
    WRONG_MEANS,
    WRONG_SIGMAS,
    Mean,
    Mistake,
    Sigma,
    eps_form,
    posterior_weights,
    sigma_beta_tilde,
    x0_estimate,
)
from grader.checks.schedule import Schedule

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
        inside, outside: 8 steps each (4 timesteps on 2 schedules), of N = 2**17 scalars, with the inputs of that name;
            3 comparisons per step at 6 standard errors
        own_schedule: whether the steps were seen not to depend on the schedule; it decides the hint only
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
        inside: 8 steps of N = 2**17 scalars; 1 comparison each, at 6 standard errors
        own_schedule: see check_mean
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
WITHIN = {"columns": 4, "rows": 3, "channels": 2, "images of a batch": 1}
AXES = {**WITHIN, "calls": 0}
SAME_NOISE = "the same noise in every step"


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


ROUNDING = 1e-5  # relative to the largest value: the same numbers from another kernel


def apart(x_t: Tensor, eps: Tensor, a: Tensor, b: Tensor) -> float:
    """How far K steps of one image differ from K others in mean and noise: 0 if equal, at most 1 if alike.

    Nothing is assumed about the mean, as the same x_t and eps went into all of them. 3 comparisons for the mean and 1
    for the noise, each at 6 standard errors, estimated from the values themselves: about 1e-8 false alarms in all.

    Args:
        x_t, eps: (C, H, W)
        a, b: what came out, (K, C, H, W) each
    """
    a, b = a.double(), b.double()
    size = max(1.0, b.abs().max().item())
    if (a - b).abs().max().item() <= ROUNDING * size:
        return 0.0
    q, _ = basis(x_t.double().flatten(), eps.double().flatten())
    coefficients, rest = fit((a - b).mean(0).flatten(), q)
    allowed = Z * rest.std().item() / math.sqrt(x_t.numel()) + MEAN_TOLERANCE * size
    variances = [values.var(0).flatten() for values in (a, b)]  # over the calls, of each pixel
    sigmas = [v.mean().sqrt().item() for v in variances]
    worst = [coefficients.abs().max().item() / allowed]
    if not max(sigmas) <= SILENT:
        if not min(sigmas) >= SILENT:
            return math.inf
        relative = [(v.std() / v.mean()).item() / math.sqrt(v.numel()) / 2 for v in variances]
        worst.append(abs(math.log(sigmas[0] / sigmas[1])) / (Z * math.hypot(*relative) + SIGMA_TOLERANCE))
    return max(worst) if all(map(math.isfinite, worst)) else math.inf


def check_mixed_t(t: list[int], x_t: Tensor, eps: Tensor, mixed: Tensor, alone: dict[int, Tensor]) -> dict[str, float]:
    """In a batch with mixed t each image is stepped as in a batch where all have its t, be that right or wrong.

    Whether it is right is for the other checks. All calls are made K times, after the same K seeds: a sampler that
    draws its noise for the whole batch then returns the same numbers, and nothing is left to chance. One that draws it
    image by image is compared by statistics (see `apart`): at B = 5, 5e-8 false alarms. With K = 4 and 3 × 32 × 32
    pixels sigma is known to 6 %.

    Args:
        t: of each image, B of them
        x_t, eps: inside inputs, (B, C, H, W)
        mixed: what p_sample returned for t, (K, B, C, H, W)
        alone: the same for each of these t, given to all images
    """
    # what is not finite anyway says nothing about mixing
    rows = [i for i, step in enumerate(t) if alone[step][:, i].isfinite().all()]
    if len({t[i] for i in rows}) < 2:
        raise NotJudged("waits for step.last_step and step.mean: single steps are not finite, whatever the other t are")
    differences = [0.0]
    for i in rows:

        def from_alone(step: int, i: int = i) -> float:
            return apart(x_t[i], eps[i], mixed[:, i], alone[step][:, i])

        differences.append(from_alone(t[i]))
        if differences[-1] <= 1:
            continue
        noises = [noise for outs in alone.values() if (noise := call_noise(outs)) is not None]
        loudest = max(noises, key=lambda noise: noise.square().mean().item(), default=None)
        if loudest is not None and most_alike(loudest, WITHIN)[0]:
            raise NotJudged("waits for step.fresh_noise: pixels share their noise, so two steps can't be compared")
        other = next((step for step in alone if step != t[i] and from_alone(step) <= 1), None)
        here, there = (outs[:, i].double().var(0).mean().sqrt().item() for outs in (mixed, alone[t[i]]))
        what = (
            f"was treated as if its t were {other}" if other is not None
            else f"has noise of standard deviation {here:.3g}, and none where all have this t" if there < SILENT < here
            else "got no noise, but does where all have this t" if here < SILENT < there
            else "was not stepped as where all have this t"
        )  # fmt: skip
        raise CheckFailed(
            f"in a batch with t = {t}: expected each image to be stepped by its own t, "
            f"but image {i} (t = {t[i]}) {what}",
            "Take every coefficient with diffusion.extract(…, t, x_t.shape), and decide on noise for each image, as "
            "(t > 0).view(-1, 1, 1, 1) * noise does: t[0], t.max() and .all() or .any() speak for the whole batch.",
            row=i, t=t[i], noise=here,
        )  # fmt: skip
    return {"rows": len(rows), "n": x_t[0].numel(), "calls": len(mixed)} | at_most(max(differences), 1)
