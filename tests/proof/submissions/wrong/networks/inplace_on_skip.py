"""Adds to a feature map in place after the sigmoid that made it was kept for the backward pass.

Caught by: level1.training.gradient_flow
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = 24
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(48), nn.Linear(48, c))
        self.enc = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.down = nn.Conv2d(c, c, 2, stride=2)
        self.up = nn.ConvTranspose2d(c, c, 2, stride=2)
        self.dec = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        skip = torch.sigmoid(self.enc(x) + self.time(t)[:, :, None, None])
        h = torch.relu(self.down(skip))
        skip += self.up(h)
        return self.dec(skip)
