"""Works on the transposed image, and returns it transposed.

Caught by: level1.image.channels
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
        return self.through(x.transpose(2, 3), t)
