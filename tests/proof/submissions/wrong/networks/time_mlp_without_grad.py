"""Runs the time MLP under torch.no_grad(): it stays as random as it began.

Caught by: level1.training.all_parameters
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        n, d = config.image_channels * config.image_size**2, 144
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, d), nn.SiLU(), nn.Linear(d, d))
        self.read = nn.Linear(n, d)
        self.think = nn.ModuleList([nn.Linear(d, d) for _ in range(2)])
        self.write = nn.Linear(d, n)

    @torch.no_grad()
    def embed(self, t: Tensor) -> Tensor:
        return self.time(t)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.embed(t)
        h = self.read(x.flatten(1))
        for layer in self.think:
            h = h + nn.functional.silu(layer(h) + emb)
        return self.write(h).view_as(x) + x
