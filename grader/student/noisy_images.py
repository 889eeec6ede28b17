"""Inputs like those of training: images, noised at their own t, so that no network can tell a check from it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion

GRID = 4  # pixels of the noise that a field is enlarged from


@dataclass(frozen=True)
class NoisyImages:
    """x_t of images of the data set, or of smooth random fields, where there are none of the shape."""

    diffusion: GaussianDiffusion
    images: Callable[[], Tensor | None]  # (N, C, H, W) uint8; asked for when first needed, as loading takes seconds

    def draw(self, t: Tensor, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
        """Images of `shape` (C, H, W), noised at t (B,): x_t (B, C, H, W)."""
        images = self.images()
        if images is None or images.shape[1:] != shape:
            x_0 = fields(len(t), shape, generator)
        else:
            x_0 = to_float(images[torch.randint(len(images), (len(t),), generator=generator)])
        return self.diffusion.q_sample(x_0, t, torch.randn(x_0.shape, generator=generator))


def of_fields(num_timesteps: int) -> NoisyImages:
    """Where no data set is meant."""
    return NoisyImages(GaussianDiffusion(num_timesteps), lambda: None)


def fields(count: int, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Smooth random fields in [-1, 1], flat in places, as images are: (B, C, H, W)."""
    coarse = 1.5 * torch.randn(count, shape[0], GRID, GRID, generator=generator)
    return interpolate(coarse, size=shape[1:], mode="bilinear").clamp(-1, 1)
