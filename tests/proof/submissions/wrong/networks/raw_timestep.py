"""Feeds the raw t, up to 999, into a product with the features: the pixels drown in it.

Caught by: level1.training.overfits
"""

import torch
import torch.nn as nn


class FiLM(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.scale, self.shift = nn.Linear(1, c), nn.Linear(1, c)

    def forward(self, h, t):
        return h * self.scale(t)[:, :, None, None] + self.shift(t)[:, :, None, None]


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 32
        self.conv1, self.film1 = nn.Conv2d(config.image_channels, c, 3, padding=1), FiLM(c)
        self.conv2, self.film2 = nn.Conv2d(c, c, 3, padding=1), FiLM(c)
        self.conv3 = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        time = t.float()[:, None]
        h = torch.relu(self.film1(self.conv1(x), time))
        h = torch.relu(self.film2(self.conv2(h), time))
        return self.conv3(h)
