"""How far numbers that should be standard normal are from it, as a multiple of what is allowed: 1 is the limit.

Each comparison is made at Z = 6 standard errors (2e-9 false alarms), plus a tolerance for float32. What is not a number
is infinitely far off.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.checks.noise import Z

MANY = 1 << 14  # scalars from which kurtosis is normal enough: at 6 standard errors, 60 times 1e-9 here, 4 at 2**17
FEWEST = 64  # scalars in a slice: with fewer, a correlation's tails are no longer those of a normal distribution


@dataclass(frozen=True)
class Deviation:
    """How far something is off, as a multiple of what is allowed; what, and where."""

    excess: float
    what: str
    where: str = ""


def largest(found: Iterable[Deviation]) -> Deviation:
    return max(found, key=lambda one: one.excess, default=Deviation(0.0, "nothing"))


def worst_of(excess: Tensor, what: str, where: Sequence[str]) -> Deviation:
    """The largest of (L,), with the name of its place."""
    values = excess.flatten().nan_to_num(math.inf, math.inf, math.inf)
    i = int(values.argmax())
    return Deviation(values[i].item(), what, where[i])


def of_sums(sums: Tensor, squares: Tensor, bias: Tensor) -> Tensor:
    """Sums of z q, for z ~ N(0, I) and known q, against 0; any one shape.

    Args:
        squares: the same sums of q²
        bias: by how much the sums may be off besides
    """
    return sums.abs() / (Z * squares.sqrt() + bias).clamp(min=1e-30)


def of_squares(squares: Tensor, n: Tensor, tolerance: Tensor) -> Tensor:
    """Sums of n z² against chi² (Wilson & Hilferty 1931: its cube root is nearly normal); any one shape.

    Args:
        tolerance: relative, by how much sigma may be off besides
    """
    ratio = squares / n
    nearer = torch.where(ratio > 1, (ratio / (1 + tolerance) ** 2).clamp(min=1), (ratio * (1 + tolerance) ** 2))
    nearer = torch.where(ratio > 1, nearer, nearer.clamp(max=1))
    off = (nearer.pow(1 / 3) - (1 - 2 / (9 * n))).abs() / (2 / (9 * n)).sqrt()
    return torch.where(nearer == 1, 0.0, off / Z)


def of_kurtosis(squares: Tensor, fourths: Tensor, n: int, tolerance: Tensor) -> Tensor:
    """The kurtosis of n z against 3, that of a normal distribution, with standard error sqrt(24 / n): shape (1,).

    Args:
        squares, fourths: sums of z² and z⁴, (1,)
        tolerance: by how much it may be off besides, (1,)
    """
    kurtosis = fourths / n / (squares / n).square().clamp(min=1e-30)
    return (kurtosis - 3).abs() / (Z * math.sqrt(24 / n) + tolerance) if n >= MANY else torch.zeros(1)


def of_pairs(gram: Tensor, n: int, z: float = Z, tolerance: Tensor | float = 0.0) -> Tensor:
    """The correlations of L slices of n scalars with one another, each slice with the most alike: (L,).

    Uncentred, as noise has mean 0; Fisher's transform makes them normal.

    Args:
        gram: products of each two slices, (L, L)
        tolerance: by how much correlations may be off besides, (L, L)
    """
    if n < FEWEST:
        return torch.zeros(len(gram), dtype=gram.dtype)
    size = gram.diagonal().clamp(min=1e-30).sqrt()
    r = ((gram / size / size[:, None]).abs() - tolerance).clamp(0, 1 - 1e-12)
    return (r.atanh() * math.sqrt(n - 3) / z).fill_diagonal_(0).amax(1)
