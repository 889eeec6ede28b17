"""Is it fresh, independent, normal noise? Used for x_T and for the noise that a reverse step adds.

Every threshold is Z = 6 standard errors of a normal distribution: 2e-9 false alarms per comparison.
"""

import math

import torch
from torch import Tensor

from grader.checks.finding import at_most, tightest

Z = 6.0


def kurtosis(z: Tensor) -> float:
    """Fourth standardised moment of n numbers in any shape: 3 if normal (s.e. sqrt(24 / n)), 1.8 if uniform."""
    z = z.double() - z.double().mean()
    return (z.pow(4).mean() / z.square().mean().square().clamp(min=1e-300)).item()


def skewness(z: Tensor) -> float:
    """Third standardised moment of n numbers in any shape: 0 if normal, s.e. sqrt(6 / n)."""
    z = z.double() - z.double().mean()
    return (z.pow(3).mean() / z.square().mean().pow(1.5).clamp(min=1e-300)).item()


def largest_correlation(z: Tensor, axis: int) -> tuple[float, float]:
    """The largest |correlation| between any two of the L slices of z along an axis, and how many standard errors it is.

    Uncentred, as the noise has mean 0; so constant slices count too. Fisher's transform makes the standard error right
    for short slices.
    """
    rows = z.double().movedim(axis, 0).flatten(1)  # (L, M)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-30)
    # (L, L), of each pair of slices
    r = (rows @ rows.T).fill_diagonal_(0).abs().max().item() if len(rows) > 1 else 0.0
    return r, math.atanh(min(r, 1 - 1e-12)) * math.sqrt(max(rows.shape[1] - 3, 1))


def most_alike(z: Tensor, axes: dict[str, int]) -> tuple[str | None, dict[str, float]]:
    """The axis along which the noise repeats itself, if any, and the largest correlation along each.

    Args:
        z: noise of any shape
        axes: the axes to compare along, by name
    """
    found = {name: largest_correlation(z, axis) for name, axis in axes.items()}
    beyond = [name for name, (_, errors) in found.items() if not errors <= Z]
    # rounded, so that among several perfect repetitions the first axis wins
    worst = max(beyond, key=lambda name: round(found[name][0], 2), default=None)
    correlations = {f"correlation_between_{name.replace(' ', '_')}": r for name, (r, _) in found.items()}
    return worst, correlations | tightest(*(at_most(errors, Z) for _, errors in found.values()))


def shape_problem(z: Tensor) -> tuple[str | None, dict[str, float]]:
    """What makes n numbers (z, any shape) look non-normal, if anything: 2 comparisons."""
    n, k, s = z.numel(), kurtosis(z), skewness(z)
    off = at_most(abs(k - 3), Z * math.sqrt(24 / n)), at_most(abs(s), Z * math.sqrt(6 / n))
    numbers = {"n": n, "kurtosis": k, "skewness": s} | tightest(*off)
    if not abs(k - 3) <= Z * math.sqrt(24 / n):
        return f"kurtosis {k:.2f} (a normal distribution has 3, a uniform one 1.8)", numbers
    if not abs(s) <= Z * math.sqrt(6 / n):
        return f"skewness {s:.2f} (a normal distribution has 0)", numbers
    return None, numbers


def scale_problem(z: Tensor) -> tuple[str | None, dict[str, float]]:
    """Which of mean 0 and variance 1 n numbers (z, any shape) lack, if any: 2 comparisons."""
    n, mean, variance = z.numel(), z.double().mean().item(), torch.var(z.double()).item()
    off = at_most(abs(mean), Z / math.sqrt(n)), at_most(abs(variance - 1), Z * math.sqrt(2 / n))
    numbers = {"n": n, "mean": mean, "variance": variance} | tightest(*off)
    if not abs(mean) <= Z / math.sqrt(n):
        return f"mean {mean:.3f} instead of 0", numbers
    if not abs(variance - 1) <= Z * math.sqrt(2 / n):
        return f"variance {variance:.3f} instead of 1", numbers
    return None, numbers
