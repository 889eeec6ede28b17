"""Held-out images among the samples: in the very calls that draw samples, a network has to denoise them, too.

Whether samples come from a denoiser or from a store of images can't be told by looking at the samples alone. So images
that no training has seen and no weights can hold, noised to the t of the moment, stand at random places in each batch.
Their rows and some of the samples' are kept, to be asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.metrics.new_images import new_images
from grader.metrics.randomness import Randomness

Predict = Callable[[Tensor, Tensor], Tensor]
FEWEST, MOST = 2, 6  # held-out images in a batch, and as many samples that are kept


@dataclass(frozen=True)
class Asked:
    """Rows that a network was asked for, and its answers."""

    x_t: Tensor  # (N, C, H, W)
    t: Tensor  # (N,)
    y: Tensor  # (N, C, H, W)

    def __getitem__(self, rows: Tensor) -> "Asked":
        return Asked(self.x_t[rows], self.t[rows], self.y[rows])

    @staticmethod
    def all_of(parts: list["Asked"]) -> "Asked":
        return Asked(*(torch.cat([getattr(p, name) for p in parts]) for name in ("x_t", "t", "y")))


class Companions:
    """A network as a sampler calls it, with held-out images beside each batch of samples."""

    def __init__(self, predict: Predict, diffusion: GaussianDiffusion, images: Tensor, luck: Randomness) -> None:
        """`images`: uint8 (M, C, H, W), which no training has seen; they are changed before they are asked about."""
        self.predict, self.diffusion, self.images, self.luck = predict, diffusion, images, luck
        self._held_out: list[Asked] = []
        self._samples: list[Asked] = []
        self._noise: list[Tensor] = []

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, C, H, W), t (B,), all of one t → the predicted noise of these alone, (B, C, H, W)."""
        luck = self.luck
        count = int(luck.below(MOST + 1 - FEWEST, 1)) + FEWEST
        chosen = luck.below(len(self.images), count)
        noise = luck.normal(count, *x.shape[1:])
        same_t = t[:1].expand(count)
        x_0 = to_float(new_images(self.images[chosen], luck))  # (count, C, H, W)
        x_t = self.diffusion.q_sample(x_0, same_t, noise)

        rows, steps = torch.cat([x_t, x]), torch.cat([same_t, t])  # (count + B, C, H, W), (count + B,)
        order = luck.order(len(rows))
        y = torch.empty_like(rows)
        y[order] = self.predict(rows[order], steps[order])

        asked = Asked(rows, steps, y)
        self._noise.append(noise)
        self._held_out.append(asked[torch.arange(count)])
        self._samples.append(asked[count + luck.below(len(x), count)])
        return y[count:]

    @property
    def held_out(self) -> Asked:
        return Asked.all_of(self._held_out)

    @property
    def samples(self) -> Asked:
        """As many of the samples, each on its way."""
        return Asked.all_of(self._samples)

    @property
    def noise(self) -> Tensor:
        """Of the held-out rows: (N, C, H, W)."""
        return torch.cat(self._noise)
