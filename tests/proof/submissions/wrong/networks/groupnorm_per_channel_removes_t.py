"""Adds the embedding right before a GroupNorm with a group for each channel, which subtracts it again.

Caught by: level1.timestep.depends_on_t
Hint: A norm right after it takes it out again
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ResBlock(nn.Module):
    def __init__(self, channels, emb):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.emb = nn.Linear(emb, channels)
        self.norm = nn.GroupNorm(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h, emb):
        r = self.conv1(F.silu(h)) + self.emb(F.silu(emb))[:, :, None, None]
        return h + self.conv2(F.silu(self.norm(r)))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 64))
        self.first = nn.Conv2d(config.image_channels, 48, 3, padding=1)
        self.blocks = nn.ModuleList([ResBlock(48, 64) for _ in range(3)])
        self.last = nn.Sequential(nn.SiLU(), nn.Conv2d(48, config.image_channels, 3, padding=1))

    def forward(self, x, t):
        emb = self.emb(t)
        h = self.first(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.last(h)
