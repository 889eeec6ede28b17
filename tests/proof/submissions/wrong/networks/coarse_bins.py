"""Looks t up in bins of a hundred (t // 100): ten different answers for a thousand steps.

Caught by: level1.timestep.whole_range
"""

import torch
import torch.nn as nn


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.bins = nn.Embedding(10, 40)
        self.conv1 = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.conv2 = nn.Conv2d(40, 40, 3, padding=1)
        self.conv3 = nn.Conv2d(40, 40, 3, padding=1)
        self.conv4 = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.bins(t // 100)[:, :, None, None]
        h = self.conv1(x)
        h = h + torch.relu(self.conv2(h) + emb)
        h = h + torch.relu(self.conv3(h) + emb)
        return self.conv4(h)
