"""Predicts x_0 inside (with the skip of EDM, so that nothing is divided by a small number) and returns the noise.

x̂_0 = x + σ·F(x, t) with σ = √(1 - ᾱ), so that eps = (x - a·x̂_0) / σ = σ / (1 + a)·x - a·F with a = √ᾱ, σ² = 1 - a².
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        schedule = GaussianDiffusion(config.num_timesteps)
        self.register_buffer("a", schedule.sqrt_alpha_bar, persistent=False)  # (T,)
        self.register_buffer("sigma", schedule.sqrt_one_minus_alpha_bar, persistent=False)
        d = 32
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU())
        self.inner = nn.ModuleList([nn.Conv2d(config.image_channels + d, d, 3, padding=1)])
        self.inner += [nn.Conv2d(2 * d, d, 3, padding=1) for _ in range(3)]
        self.outer = nn.Conv2d(d, config.image_channels, 3, padding=1)

    def correction(self, x: Tensor, t: Tensor) -> Tensor:
        """F(x, t): what is added to x, in units of sigma, to make it clean."""
        plane = self.embed(t)[:, :, None, None].expand(-1, -1, *x.shape[-2:])  # t as constant planes
        h = x
        for conv in self.inner:
            h = nn.functional.silu(conv(torch.cat([h, plane], dim=1)))
        return self.outer(h)

    def predict_x0(self, x: Tensor, t: Tensor) -> Tensor:
        return x + self.sigma[t][:, None, None, None] * self.correction(x, t)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a, sigma = self.a[t][:, None, None, None], self.sigma[t][:, None, None, None]
        return (x - a * self.predict_x0(x, t)) / sigma
