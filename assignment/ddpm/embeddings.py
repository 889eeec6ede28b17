"""Sinusoidal timestep embedding (Vaswani et al. 2017, section 3.5; used for t by Ho et al. 2020, appendix B)."""

import math

import torch
from torch import Tensor, nn


class SinusoidalTimestepEmbedding(nn.Module):
    """Turn integer timesteps into vectors in which near steps look alike and far steps do not.

    embedding(t) = [sin(t·w_0), …, sin(t·w_{dim/2-1}), cos(t·w_0), …, cos(t·w_{dim/2-1})],  w_i = max_period^(-2i/dim)

    Feed it the integer t itself, not t / T: the frequencies are made for steps of 1.

    Args:
        dim: length of a vector, even and at least 2
        max_period: the longest wavelength is about 2·pi times this, in steps

    Raises:
        ValueError: dim is odd or smaller than 2
    """

    frequencies: Tensor

    def __init__(self, dim: int, max_period: float = 10_000.0) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise ValueError(f"SinusoidalTimestepEmbedding: dim must be even and at least 2, got {dim}")
        # max_period^(-2i/dim) for i = 0 … dim/2 - 1, by way of the logarithm. Wavelengths grow geometrically from 2·pi:
        # the first entries tell neighbouring steps apart, the last ones the two ends of [0, T).
        frequencies = torch.exp(-math.log(max_period) * torch.arange(0, dim, 2, dtype=torch.float32) / dim)
        # A buffer, as no gradient reaches it and yet it has to follow the model to another device. Not persistent: it
        # follows from dim and max_period, so weights need not carry it.
        self.register_buffer("frequencies", frequencies, persistent=False)  # (dim / 2,)

    def forward(self, t: Tensor) -> Tensor:
        """t (B,), integers in [0, T) → (B, dim)."""
        angles = t[:, None] * self.frequencies[None, :]  # (B, 1) · (1, dim / 2) → (B, dim / 2)
        # All sines, then all cosines; the paper alternates them. To a linear layer that is the same.
        return torch.cat([angles.sin(), angles.cos()], dim=1)  # (B, dim)
