"""The last layer of its nn.Sequential head is a sigmoid: nothing below zero.

Caught by: level1.training.not_squashed
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, d = config.image_channels, 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d))
        self.stem = nn.Conv2d(c, d, 3, padding=1)
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(d, d, 3, padding=1), nn.ReLU(), nn.Conv2d(d, d, 3, padding=1))
        self.head = nn.Sequential(nn.Conv2d(d + c, d, 1), nn.ReLU(), nn.Conv2d(d, c, 1), nn.Sigmoid())

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.stem(x) + self.time(t)[:, :, None, None]
        return self.head(torch.cat([h + self.body(h), x], dim=1))
