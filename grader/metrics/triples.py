"""Frozen (image, t, noise) triples: two networks that meet the same ones differ in loss only by what they are.

Three quarters of the loss lie below t = T/4, so more triples are drawn there (stratified sampling with Neyman's
allocation): the mean stays that over uniform t, its error shrinks. Triples come in looks: the first often decides, and
what it leaves open gets the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion, stratified_timesteps
from assignment.ddpm.seeds import derive_seed

EDGES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the bins of t, in parts of T
SHARES = (0.10, 0.22, 0.17, 0.28, 0.15, 0.08)  # of the triples: about width × loss there, and some for the last
LOOKS = (4096, 4096, 8192)  # triples of the first look, of the second, of the third


@dataclass(frozen=True)
class Triples:
    """One look at a part of a data set."""

    images: Tensor  # (N, C, H, W) uint8
    index: Tensor  # (N,) which image
    t: Tensor  # (N,)
    bins: Tensor  # (N,) which bin t lies in
    noise: Tensor  # (N, C, H, W)

    def fingerprint(self) -> list[float]:
        """Enough to notice that another version of torch draws other numbers."""
        few = self.noise[:8].double()
        return [round(v, 4) for v in (self.t.double().mean().item(), few.mean().item(), few.square().mean().item())]


def widths() -> Tensor:
    """Of the bins, in parts of T: (bins,)."""
    return torch.tensor(EDGES, dtype=torch.float64).diff()


def draw_triples(images: Tensor, num_timesteps: int, look: int, *, part: str) -> Triples:
    """Look `look` at `images` (M, C, H, W) of the part `validation` or `test`: always the same, on every device.

    Every image comes equally often (but for one), each time with another t.
    """
    n = LOOKS[look]
    generator = torch.Generator().manual_seed(derive_seed("triples", part, look))
    counts = [round(n * share) for share in SHARES]
    counts[-1] += n - sum(counts)
    t = torch.cat([
        stratified_timesteps(torch.arange(count), num_timesteps, generator, lower=lower, upper=upper)
        for lower, upper, count in zip(EDGES[:-1], EDGES[1:], counts, strict=True)
    ])  # fmt: skip
    bins = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    shuffled = torch.randperm(n, generator=generator)
    rounds = -(-n // len(images))
    index = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(rounds)])[:n]
    noise = torch.randn(n, *images.shape[1:], generator=generator)
    return Triples(images[index], index, t[shuffled], bins[shuffled], noise)


def losses(
    predict: Callable[[Tensor, Tensor], Tensor],
    diffusion: GaussianDiffusion,
    triples: Triples,
    *,
    batch_size: int,
    progress: Callable[[int], object] = lambda done: None,
) -> Tensor:
    """Mean squared error of the predicted noise for each triple, (N,) float64. Noise and images stay here.

    Args:
        predict: x_t, t on the CPU → predicted noise
        progress: called with the number of triples done since the last call
    """
    found = []
    for start in range(0, len(triples.t), batch_size):
        part = slice(start, start + batch_size)
        x_t = diffusion.q_sample(to_float(triples.images[part]), triples.t[part], triples.noise[part])
        error = predict(x_t, triples.t[part]).cpu().double() - triples.noise[part].double()
        found.append(error.square().flatten(1).mean(1))
        progress(len(found[-1]))
    return torch.cat(found)
