"""The square root of a gain that starts at zero: infinite gradient, and not a number after the first step.

Caught by: level1.contract.finite
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ScaledResidual(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.GroupNorm(8, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1))
        self.variance = nn.Parameter(torch.zeros(c, 1, 1))  # of the branch, starting as the identity

    def forward(self, h: Tensor) -> Tensor:
        return h + self.variance.abs().sqrt() * self.body(h)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 32))
        self.enter = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.residuals = nn.Sequential(ScaledResidual(32), ScaledResidual(32), ScaledResidual(32))
        self.leave = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = nn.functional.silu(self.enter(x) + self.time(t)[:, :, None, None])
        return self.leave(self.residuals(h))
