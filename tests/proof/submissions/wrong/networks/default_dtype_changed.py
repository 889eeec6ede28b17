"""Switches the default dtype to float64 for exact sinusoids, and never back.

Caught by: level1.behaviour.no_side_effects
"""

import math

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(64, 32)
        self.enter = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.body = nn.Sequential(
            nn.SiLU(), nn.Conv2d(32, 64, 3, padding=1), nn.SiLU(), nn.Conv2d(64, 32, 3, padding=1)
        )
        self.leave = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def sinusoids(self, t: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        rates = torch.exp(torch.linspace(0, -math.log(10_000), 32, device=t.device))
        angles = t.double()[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1).float()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.enter(x) + self.proj(self.sinusoids(t))[:, :, None, None]
        return self.leave(h + self.body(h))
