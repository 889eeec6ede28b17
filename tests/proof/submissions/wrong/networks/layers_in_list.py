"""Keeps its blocks in a plain Python list: they are neither saved nor trained.

Caught by: level1.training.registered
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Block(nn.Module):
    def __init__(self, c, d):
        super().__init__()
        self.norm = nn.GroupNorm(4, c)
        self.conv = nn.Conv2d(c, c, 3, padding=1)
        self.time = nn.Linear(d, c)

    def forward(self, h, emb):
        return h + self.conv(F.silu(self.norm(h) + self.time(emb)[:, :, None, None]))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, d = 40, 64
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.blocks = [Block(c, d) for _ in range(3)]
        self.last = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)
        h = self.first(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.last(h)
