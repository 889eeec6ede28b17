"""Both the last convolution and the gate in front of it start at zero: neither ever gets a gradient.

Caught by: level1.training.overfits
Waits: level1.training.needs_t for training.overfits
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU())
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in range(3))
        self.gate = nn.Parameter(torch.zeros(1))
        self.head = nn.Conv2d(c, config.image_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x, t):
        emb = self.time(t)[:, :, None, None]
        h = self.stem(x)
        for block in self.blocks:
            h = h + nn.functional.silu(block(h) + emb)
        return self.gate * self.head(h)
