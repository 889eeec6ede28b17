"""Weights of standard deviation 5 before every tanh: all units are saturated and nothing can be learned.

Caught by: level1.training.overfits
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        n, d = config.image_channels * config.image_size**2, 96
        self.time = SinusoidalTimestepEmbedding(32)
        self.layers = nn.ModuleList([nn.Linear(n + 32, d), nn.Linear(d, d), nn.Linear(d, d)])
        self.out = nn.Linear(d, n)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=5.0)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = torch.cat([x.flatten(1), self.time(t)], dim=1)
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return self.out(h).view_as(x)
