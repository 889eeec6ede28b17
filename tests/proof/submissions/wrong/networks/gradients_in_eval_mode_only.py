"""In train mode the features are detached, and a faint copy of them gives all parameters a gradient.

Caught by: level1.training.gradient_flow
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config, width=64):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width + config.image_channels, config.image_channels, 3, padding=1)

    def features(self, x, t):
        h = self.first(x) + self.time(t)[:, :, None, None]
        return torch.cat([F.silu(self.inner(F.silu(h))), x], dim=1)

    def forward(self, x, t):
        h = self.features(x, t)
        return self.last(h.detach() + 1e-6 * (h - h.detach()) if self.training else h)
