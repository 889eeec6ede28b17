"""A U-Net that takes t and never looks at it.

Caught by: level1.timestep.depends_on_t
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.GroupNorm(4, c_out), nn.SiLU())


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.e1 = block(config.image_channels, 24)
        self.e2 = block(24, 48)
        self.bottom = block(48, 48)
        self.d2 = block(96, 24)
        self.d1 = block(48, 24)
        self.out = nn.Conv2d(24 + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        a = self.e1(x)
        b = self.e2(F.avg_pool2d(a, 2))
        h = self.bottom(F.avg_pool2d(b, 2))
        h = self.d2(torch.cat([F.interpolate(h, size=b.shape[2:]), b], dim=1))
        h = self.d1(torch.cat([F.interpolate(h, size=a.shape[2:]), a], dim=1))
        return self.out(torch.cat([h, x], dim=1))
