"""Reads (B, C, H, W) as if it were (B, H·W, C), by a reshape, and back in the same way.

Caught by: level1.image.neighbours
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config, width=40):
        super().__init__()
        c = config.image_channels
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(c, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, c, 3, padding=1)

    def through(self, h, t):
        h, emb = self.first(h), self.time(t)[:, :, None, None]
        for conv in self.body:
            h = h + conv(F.silu(h) + emb)
        return self.last(F.silu(h))

    def forward(self, x, t):
        b, c, height, width = x.shape
        h = x.reshape(b, height * width, c).transpose(1, 2).reshape(x.shape)
        h = self.through(h, t)
        return h.flatten(2).transpose(1, 2).reshape(x.shape)
