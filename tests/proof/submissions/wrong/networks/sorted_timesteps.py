"""Sorts t to look it up in one sweep, and does not put the embeddings back in the order of the images.

Caught by: level1.batch.order
"""

import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.lookup = nn.Embedding(config.num_timesteps, 40)
        self.enter = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.a = nn.ModuleList([nn.Conv2d(40, 80, 1) for _ in range(2)])
        self.b = nn.ModuleList([nn.Conv2d(80, 40, 3, padding=1) for _ in range(2)])
        self.leave = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def embed(self, t: Tensor) -> Tensor:
        ordered, _ = t.sort()
        return self.lookup(ordered)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.enter(x) + self.embed(t)[:, :, None, None]
        for a, b in zip(self.a, self.b, strict=True):
            h = h + b(F.silu(a(h)))
        return self.leave(h)
