"""Adds the embedding, constant in each channel, right before an InstanceNorm, which subtracts it again.

Caught by: level1.timestep.depends_on_t
Hint: A norm right after it takes it out again
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class NormedBlock(nn.Module):
    def __init__(self, width, emb):
        super().__init__()
        self.emb = nn.Linear(emb, width)
        self.norm = nn.InstanceNorm2d(width, affine=True)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h, emb):
        r = self.norm(h + self.emb(emb)[:, :, None, None])
        return h + self.conv(torch.relu(r))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 64), nn.ReLU())
        self.first = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.blocks = nn.ModuleList([NormedBlock(40, 64) for _ in range(3)])
        self.last = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.emb(t)
        h = self.first(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.last(h)
