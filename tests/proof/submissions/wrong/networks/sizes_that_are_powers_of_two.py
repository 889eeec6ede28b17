"""Counts how often the image can be halved, and refuses where it cannot be halved down to 1.

Caught by: level1.contract.every_data_set
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config, width=24):
        super().__init__()
        size = config.image_size
        if size & (size - 1):
            raise ValueError(f"the image size must be a power of two, not {size}")
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 2, stride=2) for _ in range(size.bit_length() - 1))
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, stride=2) for _ in self.down)
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h, emb, skips = self.first(x), self.time(t)[:, :, None, None], []
        for down in self.down:
            skips.append(h)
            h = F.silu(down(h) + emb)
        for up in self.up:
            h = skips.pop() + up(F.silu(h + emb))
        return self.last(h)
