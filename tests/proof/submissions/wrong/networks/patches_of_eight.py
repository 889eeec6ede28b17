"""Works on patches of 8×8, which 28 pixels do not divide into.

Caught by: level1.contract.every_data_set
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config, width=40):
        super().__init__()
        c = config.image_channels
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(64 * c, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, 64 * c, 3, padding=1)

    def through(self, h, t):
        h, emb = self.first(h), self.time(t)[:, :, None, None]
        for conv in self.body:
            h = h + conv(F.silu(h) + emb)
        return self.last(F.silu(h))

    def forward(self, x, t):
        h = self.through(F.pixel_unshuffle(x, 8), t)
        return F.pixel_shuffle(h, 8)
