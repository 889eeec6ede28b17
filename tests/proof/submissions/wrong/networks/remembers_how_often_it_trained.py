"""Warms up a skip connection over its first training steps, by a plain counter: a loaded network begins anew.

Caught by: level1.training.registered
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 32))
        self.first = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.last = nn.Conv2d(32, config.image_channels, 3, padding=1)
        self.seen = 0

    def forward(self, x, t):
        self.seen += self.training
        h = F.silu(self.first(x) + self.time(t)[:, :, None, None])
        return self.last(h * min(1.0, 0.2 + self.seen / 10) + F.silu(self.second(h)))
