"""Detaches the time embedding before it goes into the blocks, so its MLP never learns.

Caught by: level1.training.all_parameters
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SEUnit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1)
        self.pw = nn.Conv2d(c, c, 1)

    def forward(self, h, scale):
        return h + self.pw(torch.relu(self.conv(h) * (1 + scale)))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time_mlp = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 40), nn.Tanh())
        self.inc = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.units = nn.ModuleList([SEUnit(40), SEUnit(40), SEUnit(40)])
        self.outc = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        scale = self.time_mlp(t).detach()[:, :, None, None]
        h = self.inc(x)
        for unit in self.units:
            h = unit(h, scale)
        return self.outc(h)
