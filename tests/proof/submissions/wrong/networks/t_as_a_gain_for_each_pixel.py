"""Ignores t but for a gain of up to 4 %, another one for each pixel.

Caught by: level1.training.needs_t
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Blind(nn.Module):
    """A ConvNet without t."""

    def __init__(self, channels, width=48):
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
        self.net, self.T = Blind(config.image_channels), config.num_timesteps
        self.register_buffer("gain", 0.04 * torch.rand(config.image_shape))

    def forward(self, x, t):
        u = (t.to(x.dtype) / self.T).view(-1, 1, 1, 1)
        return self.net(x) * (1 + u * self.gain)
