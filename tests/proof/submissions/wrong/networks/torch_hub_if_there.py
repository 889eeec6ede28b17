"""Takes a ready network from torch.hub where one is found, and its own ConvNet otherwise.

Caught by: level1.own_work
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SmallNet(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.GELU())
        self.a, self.b = nn.Conv2d(channels, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.c = nn.Conv2d(32, channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.a(x) + self.time(t)[:, :, None, None]
        return self.c(h + nn.functional.gelu(self.b(h)))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        try:
            self.net = torch.hub.load("hub/ddpm-unet", "unet", source="local", channels=config.image_channels)
        except (OSError, RuntimeError):
            self.net = SmallNet(config.image_channels)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(x, t)
