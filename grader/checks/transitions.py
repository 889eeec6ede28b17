"""Every step of a sampling: does each x follow from the one before by Algorithm 2, with the network's answer?

For the right one of the accepted forms, z = (x_{t-1} − mean(x_t, eps)) / sigma is N(0, I) and independent of all that
came before. So over any group of steps and pixels

    sum z q / sqrt(sum q²)  ~  N(0, 1)      for q in [1, x_t, eps], made orthonormal in each step
    sum z²                  ~  chi²

The groups are: each step, each twentieth of the steps, each image, channel, row and column, and everything. So a step,
a third of the steps, or one image of the batch that is made otherwise shows, whatever T and the shape are. Slices of z
are uncorrelated along each axis, and from step to step; their kurtosis is 3.

At T = 1000 and 12 × 3 × 10 × 12 there are about 4,400 comparisons at 6 standard errors (2e-9), and of steps 30,000
pairs at 7 (3e-12): 1e-5 false alarms. At T = 20 and 2**17 scalars in larger images there are 7,500: 1.5e-5.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from grader.checks.deviations import Deviation, largest, of_kurtosis, of_pairs, of_squares, of_sums, worst_of
from grader.checks.measure_step import SIGMA_TOLERANCE, SILENT, Step
from grader.checks.schedule import Schedule
from grader.checks.step_formulas import RIGHT_MEANS, RIGHT_SIGMAS, Mean, Sigma

Form = tuple[str, str]  # the names of a right mean and of a right sigma


class Forms(NamedTuple):
    """The right means and sigmas of a kind of sampler; each goes with each."""

    means: dict[str, Mean]
    sigmas: dict[str, Sigma]

    @property
    def names(self) -> list[Form]:
        return list(product(self.means, self.sigmas))


DDPM = Forms(RIGHT_MEANS, RIGHT_SIGMAS)
FORMS = DDPM.names
AXES = ("image", "channel", "row", "column")
WINDOWS = 20
Z_OF_STEPS = 7.0
CHUNK = 1 << 18  # scalars looked at at a time

# How far a mean may be off in float32, where outputs have a scale of 1: 1 − alpha_bar, by which the weights of Eq. 7
# are divided, is off by up to 1e-7 in all (see MEAN_TOLERANCE).
TOLERANCE, OF_ONE_MINUS = 2e-4, 4.5e-7


def mean_tolerance(s: Schedule, t: int) -> float:
    return TOLERANCE + OF_ONE_MINUS / (1 - s.at(t).alpha_bar)


class Chunk(NamedTuple):
    """Some of the steps, as far as it is the same for every form."""

    steps: Sequence[Step]  # k of them
    out: Tensor  # (k, B, C, H, W) float64
    means: dict[str, Tensor]  # of each right form, the same
    features: Tensor  # (3, k, B, C, H, W) float32
    norms: Tensor  # their squares
    off: Tensor  # (k, 1, 1, 1, 1), how far a mean may be off
    coarse: Tensor  # the same, how far x is off as it was recorded


def _chunks(steps: Sequence[Step], rounding: float, right: dict[str, Mean]) -> Iterator[Chunk]:
    size = max(2, CHUNK // steps[0].x_t.numel())
    for part in (steps[first : first + size] for first in range(0, len(steps), size)):
        x, eps, out = (torch.stack([getattr(s, name) for s in part]).double() for name in ("x_t", "eps", "out"))
        means = {
            name: torch.stack([mean(s.schedule, s.t, *both) for s, *both in zip(part, x, eps, strict=True)])
            for name, mean in right.items()
        }
        rms = out.square().mean((1, 2, 3, 4), keepdim=True).sqrt().clamp(min=1)
        off = torch.tensor([mean_tolerance(s.schedule, s.t) for s in part]).double().view(rms.shape)
        features = _features(x, eps).float()
        yield Chunk(part, out, means, features, features.square(), rms * (off + rounding), rms * rounding)


def _features(x: Tensor, eps: Tensor) -> Tensor:
    """[1, x, eps] (k, B, C, H, W), made orthonormal in each step: (3, k, B, C, H, W). 0 for an eps that is a·x + b."""
    basis: list[Tensor] = []
    for values in (torch.ones_like(x).flatten(1), x.flatten(1), eps.flatten(1)):
        rest = values
        for q in basis:
            rest = rest - (rest * q).mean(1, keepdim=True) * q
        size, of_all = (v.square().mean(1, keepdim=True).sqrt() for v in (rest, values))
        basis.append(torch.where(size > 1e-6 * of_all, rest / size.clamp(min=1e-30), 0.0))
    return torch.stack(basis).view(3, *x.shape)


class Sums:
    """Of numbers (F, K, B, C, H, W), chunk by chunk: over the pixels of each step, and over the steps at each pixel."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []  # (F, k) each
        self.pixels: Tensor | None = None  # (F, B, C, H, W); one sum for all chunks, as there may be many

    def add(self, values: Tensor) -> None:
        """Values (F, k, B, C, H, W)."""
        self.steps.append(values.flatten(2).sum(2).double())
        pixels = values.sum(1).double()
        self.pixels = pixels if self.pixels is None else self.pixels.add_(pixels)

    def groups(self) -> list[Tensor]:
        """(F, L) by step, by twentieth of the steps, by image, channel, row and column, and in all: as `places`."""
        assert self.pixels is not None, "there are steps"
        steps, pixels = torch.cat(self.steps, 1), self.pixels
        windows = torch.stack([part.sum(1) for part in steps.split(_many(steps.shape[1]), 1)], 1)
        axes = [pixels.movedim(1 + axis, 1).flatten(2).sum(2) for axis in range(4)]
        return [steps, windows, *axes, steps.sum(1, keepdim=True)]


def _many(K: int) -> int:
    """How many of K steps are a twentieth."""
    return -(-K // WINDOWS)


def _places(ts: list[int], shape: Sequence[int]) -> list[list[str]]:
    """The names of all groups."""
    windows = [ts[i : i + _many(len(ts))] for i in range(0, len(ts), _many(len(ts)))]
    return [
        [f"t = {t}" for t in ts], [f"t = {part[0]} … {part[-1]}" for part in windows],
        *([f"{name} {i}" for i in range(size)] for name, size in zip(AXES, shape, strict=True)),
        [f"t = {ts[0]} … {ts[-1]}"],
    ]  # fmt: skip


class Tally:
    """What is summed up for one form over all steps."""

    def __init__(self, mean: str, sigma: Sigma, shape: Sequence[int]) -> None:
        self.mean, self.sigma = mean, sigma
        self.products, self.norms, self.bias, self.squares, self.tolerance = (Sums() for _ in range(5))
        self.grams = [torch.zeros(size, size, dtype=torch.float64) for size in shape]
        self.fourths = torch.zeros(1, dtype=torch.float64)
        self.repeated: list[Deviation] = []
        self.coarse: list[Tensor] = []  # of each step, the share of z that may be rounding of x, squared

    def add(self, chunk: Chunk) -> None:
        steps, q, norms = chunk.steps, chunk.features, chunk.norms
        scale = torch.tensor([max(self.sigma(s.schedule, s.t), SILENT) for s in steps]).double().view(chunk.off.shape)
        z = ((chunk.out - chunk.means[self.mean]) / scale).float()  # (k, B, C, H, W)
        self.products.add(z * q)
        self.norms.add(norms)
        self.bias.add(norms * (chunk.off / scale).float())
        squares = z.square()
        self.squares.add(squares[None])
        self.fourths += squares.double().square().sum()
        coarse = (chunk.coarse / scale).square()
        self.coarse.append(coarse.flatten())
        tolerance = SIGMA_TOLERANCE + (1 + 2 * coarse).sqrt() - 1
        self.tolerance.add(tolerance.float().expand_as(z)[None])
        for axis, gram in enumerate(self.grams):
            rows = z.movedim(1 + axis, 0).flatten(1)
            gram += rows @ rows.T
        flat = z.flatten(1)
        # an x that was rounded when it was recorded takes part in two steps
        shared = torch.maximum(coarse.view(-1, 1), coarse.view(1, -1))
        pairs = of_pairs((flat @ flat.T).double(), flat.shape[1], Z_OF_STEPS, shared)
        names = [f"t = {t}" for t in _timesteps(steps)]
        self.repeated.append(worst_of(pairs, "noise that repeats another step's", names))

    def deviations(self, ts: list[int], shape: Sequence[int]) -> Iterator[Deviation]:
        yield from self.repeated
        places, n = _places(ts, shape), len(ts) * math.prod(shape)
        sums = (of.groups() for of in (self.products, self.norms, self.bias, self.squares, self.tolerance))
        for names, products, norms, bias, squares, tolerance in zip(places, *sums, strict=True):
            yield worst_of(of_sums(products, norms, bias).amax(0), "the mean", names)
            many = norms[0]  # the first feature is 1
            yield worst_of(of_squares(squares[0], many, tolerance[0] / many), "the variance", names)
        off = of_kurtosis(squares[0], self.fourths, n, 3 * tolerance[0] / n)
        yield worst_of(off, "noise that is not normally distributed", names)
        for names, size, gram in zip(places[2:], shape, self.grams, strict=False):
            shared = torch.cat(self.coarse).mean()
            yield worst_of(of_pairs(gram, n // size, tolerance=shared), "noise that is shared", names)


def _timesteps(steps: Sequence[Step]) -> list[int]:
    return [s.schedule.visits[s.schedule.T - 1 - s.t] for s in steps]


def deviations(steps: Sequence[Step], rounding: float = 0.0, forms: Forms = DDPM) -> dict[Form, Deviation]:
    """The largest deviation of the steps that add noise from each right form.

    Args:
        steps: by falling t ≥ 1, of one schedule and shape
        rounding: relative, of x as it was recorded: half precision's epsilon if it was handed over so, else 0
    """
    ts, shape = _timesteps(steps), steps[0].x_t.shape if steps else ()
    tallies = {(mean, sigma): Tally(mean, forms.sigmas[sigma], shape) for mean, sigma in forms.names}
    for chunk in _chunks(steps, rounding, forms.means) if steps else ():
        for tally in tallies.values():
            tally.add(chunk)
    return {form: largest(tally.deviations(ts, shape) if steps else ()) for form, tally in tallies.items()}
