"""Keeps the layers of a U-Net in an ordinary dict instead of nn.ModuleDict.

Caught by: level1.training.registered
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = 24
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.head = nn.Conv2d(2 * c + config.image_channels, config.image_channels, 3, padding=1)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(2 * c), nn.Linear(2 * c, 2 * c), nn.SiLU())
        self.level = {
            "down": nn.Conv2d(c, 2 * c, 4, stride=2, padding=1),
            "middle": nn.Conv2d(2 * c, 2 * c, 3, padding=1),
            "up": nn.ConvTranspose2d(2 * c, c, 4, stride=2, padding=1),
        }

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.time(t)[:, :, None, None]
        skip = self.stem(x)
        h = nn.functional.silu(self.level["down"](skip) + emb)
        h = nn.functional.silu(self.level["middle"](h) + emb)
        return self.head(torch.cat([self.level["up"](h), skip, x], dim=1))
