"""Centres the features of all images together, but only in batches as large as training has them.

Caught by: level1.batch.samples_independent
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

LARGE = 40


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 32))
        self.first = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.second, self.third = nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 32, 3, padding=1)
        self.last = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h = self.first(x) + self.time(t)[:, :, None, None]
        if len(h) >= LARGE:
            h = h - h.mean(dim=0)
        return self.last(h + self.third(F.silu(self.second(F.silu(h)))))
