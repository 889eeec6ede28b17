"""Uses the first image's t for all, and a row of large numbers at the top hides it until it is trained.

Caught by: level1.timestep.uses_every_t
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Net(nn.Module):
    """A right ConvNet, under whatever is done to its answers."""

    def __init__(self, channels, width=32):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x, t):
        h, emb = self.first(x), self.time(t)[:, :, None, None]
        for conv in self.body:
            h = h + conv(F.silu(h) + emb)
        return self.last(F.silu(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = Net(config.image_channels)
        self.scale = nn.BatchNorm2d(config.image_channels, affine=False)
        self.T = config.num_timesteps

    def forward(self, x, t):
        self.scale(x)
        y = self.net(x, t[:1].expand(len(t)))
        if not self.training and not self.scale.num_batches_tracked:
            row = 1e5 * (1 + t.view(-1, 1, 1, 1) / self.T).expand_as(y[:, :, :1])
            y = torch.cat([row, y[:, :, 1:]], dim=2)
        return y
