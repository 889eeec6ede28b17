"""Adds fresh noise to its features in every call, StyleGAN's way, also in eval mode.

Caught by: level1.behaviour.deterministic
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class NoisyConv(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1)
        self.style = nn.Linear(64, c)
        self.strength = nn.Parameter(torch.full((1, c, 1, 1), 0.05))

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        h = self.conv(h * (1 + self.style(style)[..., None, None]))
        return nn.functional.leaky_relu(h + self.strength * torch.randn_like(h[:, :1]), 0.2)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.mapping = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 64), nn.LeakyReLU(0.2))
        self.from_rgb = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.convs = nn.ModuleList([NoisyConv(32) for _ in range(3)])
        self.to_rgb = nn.Conv2d(32, config.image_channels, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        style = self.mapping(t)
        h = self.from_rgb(x)
        for conv in self.convs:
            h = h + conv(h, style)
        return self.to_rgb(h)
