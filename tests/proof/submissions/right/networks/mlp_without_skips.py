"""No convolutions: the image is one long vector, and the time is appended to it."""

import torch
from torch import nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    HIDDEN = 512
    LAYERS = 4
    TIME = 64

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        pixels = config.image_channels * config.image_size**2
        self.embed = SinusoidalTimestepEmbedding(self.TIME)
        layers: list[nn.Module] = [nn.Linear(pixels + self.TIME, self.HIDDEN), nn.ReLU()]
        for _ in range(self.LAYERS - 1):
            layers += [nn.Linear(self.HIDDEN, self.HIDDEN), nn.ReLU()]
        layers.append(nn.Linear(self.HIDDEN, pixels))
        self.net = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        h = torch.cat([x.flatten(1), self.embed(t)], dim=1)
        return self.net(h).view_as(x)
