"""Calls torch.manual_seed(42) in __init__, for the same weights in every run.

Caught by: level1.behaviour.no_side_effects
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        torch.manual_seed(42)
        c = 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU(), nn.Linear(c, 2 * c))
        self.a = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.b = nn.Conv2d(c, c, 3, padding=1)
        self.c = nn.Conv2d(c, c, 3, padding=1)
        self.d = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        scale, shift = self.time(t)[:, :, None, None].chunk(2, dim=1)
        h = self.a(x)
        h = h + self.c(nn.functional.silu(self.b(h) * (1 + scale) + shift))
        return self.d(h)
