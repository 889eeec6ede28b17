"""Doubles the size on the way up, so a map of 7 that became 3 comes back as 6 and does not fit its skip.

Config: fashion_mnist
Caught by: level1.contract.shapes
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ConvUnit(nn.Module):
    def __init__(self, c_in, c_out, d):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm = nn.GroupNorm(4, c_out)
        self.emb = nn.Linear(d, c_out)

    def forward(self, x, e):
        return torch.relu(self.norm(self.conv(x)) + self.emb(e)[:, :, None, None])


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        d = 48
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.ReLU())
        self.d1 = ConvUnit(config.image_channels, 16, d)
        self.d2 = ConvUnit(16, 24, d)
        self.d3 = ConvUnit(24, 32, d)
        self.mid = ConvUnit(32, 32, d)
        self.u3 = ConvUnit(64, 24, d)
        self.u2 = ConvUnit(48, 16, d)
        self.u1 = ConvUnit(32, 16, d)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.out = nn.Conv2d(16 + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        e = self.time(t)
        x1 = self.d1(x, e)
        x2 = self.d2(self.pool(x1), e)
        x3 = self.d3(self.pool(x2), e)
        h = self.mid(self.pool(x3), e)
        h = self.u3(torch.cat([self.up(h), x3], dim=1), e)
        h = self.u2(torch.cat([self.up(h), x2], dim=1), e)
        h = self.u1(torch.cat([self.up(h), x1], dim=1), e)
        return self.out(torch.cat([h, x], dim=1))
