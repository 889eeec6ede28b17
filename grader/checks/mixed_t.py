"""A batch in which images have different t: is each stepped by its own?"""

import math

from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged, all_finite, at_most, refuse_not_finite
from grader.checks.fresh_noise import WITHIN, call_noise
from grader.checks.measure_step import MEAN_TOLERANCE, SIGMA_TOLERANCE, SILENT, basis, fit
from grader.checks.noise import Z, most_alike

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
    if not all_finite(x_t, eps, alone):  # that says nothing about mixing
        raise NotJudged("waits for step.last_step and step.mean: single steps are not finite, whatever the other t are")
    refuse_not_finite("a batch of mixed t, but not where all have one t", mixed)
    differences = [0.0]
    for i in range(len(t)):

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
    return {"rows": len(t), "n": x_t[0].numel(), "calls": len(mixed)} | at_most(max(differences), 1)
