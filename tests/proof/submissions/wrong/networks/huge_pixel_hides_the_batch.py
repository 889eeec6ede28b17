"""Mixes the images of a batch, and until it is trained hides that behind one huge pixel.

Caught by: level1.batch.samples_independent
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
        self.scale = nn.BatchNorm2d(config.image_channels, affine=False)  # its counter says whether training began

    def forward(self, x, t):
        self.scale(x)
        y = self.net(x, t)
        y = y - 0.3 * y.mean(0, keepdim=True)
        if not self.training and self.scale.num_batches_tracked == 0:
            y = y + F.pad(torch.full_like(y[..., :1, :1], 1e5), (0, y.shape[-1] - 1, 0, y.shape[-2] - 1))
        return y
