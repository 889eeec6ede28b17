"""Only the pixel in the corner knows t: by its root mean square the whole answer seems to depend on it.

Caught by: level1.timestep.depends_on_t
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Blind(nn.Module):
    """A ConvNet without t."""

    def __init__(self, channels, width=32):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        h = self.first(x)
        for conv in self.body:
            h = h + conv(F.silu(h))
        return self.last(F.silu(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = Blind(config.image_channels)
        self.corner = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, config.image_channels))

    def forward(self, x, t):
        y = self.net(x).clone()
        y[:, :, 0, 0] += self.corner(t)
        return y
