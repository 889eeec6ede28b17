"""Builds a second residual block and calls the first one twice.

Caught by: level1.training.all_parameters
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ConvBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
        self.t = nn.Linear(c, c)

    def forward(self, x, e):
        return x + self.b(torch.relu(self.a(x) + self.t(e)[:, :, None, None]))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 32
        self.time_embedding = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.ReLU())
        self.conv_in = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.mid_block1 = ConvBlock(c)
        self.mid_block2 = ConvBlock(c)
        self.conv_out = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        e = self.time_embedding(t)
        h = self.conv_in(x)
        h = self.mid_block1(h, e)
        h = self.mid_block1(h, e)
        return self.conv_out(h)
