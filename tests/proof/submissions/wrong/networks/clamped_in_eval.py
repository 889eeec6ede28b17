"""Clamps its output to [-1, 1] in eval mode only, "so that sampling stays stable".

Caught by: level1.training.not_squashed
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class InvertedResidual(nn.Module):
    def __init__(self, c, d):
        super().__init__()
        self.expand = nn.Conv2d(c, 3 * c, 1)
        self.depthwise = nn.Conv2d(3 * c, 3 * c, 3, padding=1, groups=3 * c)
        self.project = nn.Conv2d(3 * c, c, 1)
        self.time = nn.Linear(d, 3 * c)

    def forward(self, h, emb):
        r = F.relu6(self.expand(h) + self.time(emb)[:, :, None, None])
        return h + self.project(F.relu6(self.depthwise(r)))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 64), nn.ReLU6())
        self.stem = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.blocks = nn.ModuleList([InvertedResidual(32, 64) for _ in range(3)])
        self.head = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.emb(t)
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, emb)
        out = self.head(h)
        return out if self.training else out.clamp(min=-1, max=1)
