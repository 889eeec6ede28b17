"""Frozen (image, t, noise) triples: on the same ones, the losses of two networks differ only because the networks do.

They are public ones, or follow from a key that no submission knows: whoever knows the noise needs no network to answer.

Three quarters of the loss come from t < T/4, so more triples are drawn there (stratified sampling with Neyman's
allocation): the mean stays that over uniform t, its error shrinks. Triples come in looks: the first often decides; if
not, the next one follows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion, timesteps_within
from grader.metrics.randomness import randomness

EDGES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the bins of t, as fractions of T
SHARES = (0.10, 0.22, 0.17, 0.28, 0.15, 0.08)  # of the triples: about width × loss there, some more for the last
LOOKS = (4096, 4096, 8192)  # triples in the first, second and third look


@dataclass(frozen=True)
class Triples:
    """One look at a part of a data set."""

    images: Tensor  # (N, C, H, W) uint8
    index: Tensor  # (N,) which image
    t: Tensor  # (N,)
    bins: Tensor  # (N,) which bin t is in
    noise: Tensor  # (N, C, H, W)

    def first(self, count: int) -> "Triples":
        """So many of them."""
        return self.at(slice(count))

    def at(self, rows: slice | list[int]) -> "Triples":
        """Some of them."""
        return Triples(*(values[rows] for values in (self.images, self.index, self.t, self.bins, self.noise)))

    def of(self, images: Tensor) -> "Triples":
        """The same with other images, uint8 (N, C, H, W)."""
        return replace(self, images=images)

    def fingerprint(self) -> list[float]:
        """Enough to detect that another version of torch draws other numbers."""
        few = self.noise[:8].double()
        return [round(v, 4) for v in (self.t.double().mean().item(), few.mean().item(), few.square().mean().item())]


def widths() -> Tensor:
    """Widths of the K bins, as fractions of T: (K,)."""
    return torch.tensor(EDGES, dtype=torch.float64).diff()


def draw_triples(images: Tensor, num_timesteps: int, look: int, *, part: str, key: bytes = b"") -> Triples:
    """Look number `look` at `images` (M, C, H, W) of the part `validation`, `test` or `new images`: the same anywhere.

    Every image occurs equally often (give or take one), each time with another t, in an order of its own.

    Args:
        key: what the triples follow from, at least 16 bytes; empty for the public ones
    """
    n, luck = LOOKS[look], randomness(key, "triples", part, look)
    counts = [round(n * share) for share in SHARES]
    counts[-1] += n - sum(counts)
    t = torch.cat([
        timesteps_within(torch.arange(count), luck.uniform(count), num_timesteps, lower=lower, upper=upper)
        for lower, upper, count in zip(EDGES[:-1], EDGES[1:], counts, strict=True)
    ])  # fmt: skip
    bins = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    shuffled = luck.order(n)
    rounds = -(-n // len(images))
    index = torch.cat([luck.order(len(images)) for _ in range(rounds)])[:n]
    noise = luck.normal(n, *images.shape[1:])
    return Triples(images[index], index, t[shuffled], bins[shuffled], noise)


def losses(
    predict: Callable[..., Tensor],
    diffusion: GaussianDiffusion,
    triples: Triples,
    *,
    batch_size: int,
    labels: Tensor | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Tensor:
    """Mean squared error of the predicted noise for each triple, (N,) float64. Noise and images stay here.

    Args:
        predict: x_t (B, C, H, W), t (B,), and labels (B,) if there are any, on the CPU → predicted noise (B, C, H, W)
        labels: (N,), of the images of the triples
        progress: called with the number of triples done since the last call
    """
    found = []
    for start in range(0, len(triples.t), batch_size):
        part = slice(start, start + batch_size)
        x_t = diffusion.q_sample(to_float(triples.images[part]), triples.t[part], triples.noise[part])
        y = () if labels is None else (labels[part],)
        error = predict(x_t, triples.t[part], *y).cpu().double() - triples.noise[part].double()
        found.append(error.square().flatten(1).mean(1))
        progress(len(found[-1]))
    return torch.cat(found)
