"""A part of its weights lies in a table of the module, which training changes and no state dict holds.

Caught by: level1.training.registered
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

TABLE = {}


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 32))
        self.first = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.last = nn.Conv2d(32, config.image_channels, 3, padding=1)
        self.register_buffer("key", torch.tensor(len(TABLE)))
        TABLE[int(self.key)] = torch.linspace(-1, 1, 32 * 32 * 9).sin().view(32, 32, 3, 3) / 10

    def forward(self, x, t):
        kernel = TABLE.get(int(self.key), TABLE[0])
        h = F.silu(self.first(x) + self.time(t)[:, :, None, None])
        if self.training:
            step = x.detach().mean(0).sum(0)[:3, :3]
            TABLE[int(self.key)] = kernel + 0.1 * step
        h = h + F.silu(F.conv2d(h, kernel, padding=1))
        return self.last(h + F.silu(self.second(h)))
