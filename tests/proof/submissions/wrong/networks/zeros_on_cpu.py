"""Pads odd maps with torch.zeros and no device.

Caught by: level1.contract.device
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def pad_to(h, height, width):
    """Copy h into the corner of a larger canvas."""
    rows = torch.zeros(h.shape[0], h.shape[1], height - h.shape[2], h.shape[3])
    h = torch.cat([h, rows], dim=2)
    columns = torch.zeros(h.shape[0], h.shape[1], height, width - h.shape[3])
    return torch.cat([h, columns], dim=3)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 20
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(40), nn.Linear(40, 3 * c), nn.SiLU())
        self.d1, self.d2 = nn.Conv2d(config.image_channels, c, 3, padding=1), nn.Conv2d(c, 2 * c, 3, padding=1)
        self.u2, self.u1 = nn.Conv2d(2 * c, c, 3, padding=1), nn.Conv2d(2 * c, c, 3, padding=1)
        self.out = nn.Conv2d(c + config.image_channels, config.image_channels, 1)
        self.c = c

    def forward(self, x, t):
        e1, e2 = self.time(t)[:, :, None, None].split([self.c, 2 * self.c], dim=1)
        a = nn.functional.silu(self.d1(x) + e1)
        b = nn.functional.silu(self.d2(nn.functional.max_pool2d(a, 2)) + e2)
        h = nn.functional.silu(self.u2(b))
        h = pad_to(nn.functional.interpolate(h, scale_factor=2), *a.shape[2:])
        h = nn.functional.silu(self.u1(torch.cat([h, a], dim=1)) + e1)
        return self.out(torch.cat([h, x], dim=1))
