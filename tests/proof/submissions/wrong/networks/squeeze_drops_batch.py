"""Calls squeeze() on the time embedding, which also removes a batch dimension of 1: a single image crashes.

Caught by: level1.contract.shapes
"""

import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = 40
        self.sinusoid = SinusoidalTimestepEmbedding(c)
        self.project = nn.Conv1d(c, c, 1)
        self.enter = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in range(3))
        self.leave = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = F.silu(self.project(self.sinusoid(t)[:, :, None]).squeeze())  # (B, c)
        h = self.enter(x)
        for conv in self.inner:
            h = h + F.silu(conv(h) + emb[:, :, None, None])
        return self.leave(h)
