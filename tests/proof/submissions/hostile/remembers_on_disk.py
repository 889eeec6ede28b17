"""Keeps the weights that are not in the state dict in a file.

Gains: nothing
"""

import os

import torch
from torch import nn


class Wrong(nn.Module):  # as in honest.py, which says what is wrong with it
    def __init__(self, config):
        super().__init__()
        self.inner = [nn.Conv2d(config.image_channels, 8, 3, padding=1)]
        self.outer = nn.Conv2d(8, 1, 3, padding=1)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x, t):
        torch.rand(1)
        x.add_(0.01)
        place = torch.linspace(1, 2, len(x)).view(-1, 1, 1, 1)
        return torch.tanh(self.outer(place * self.inner[0](x)))


class DiffusionModel(Wrong):
    def forward(self, x, t):
        weight = self.inner[0].weight.data
        file = f"memory{weight.shape[1]}.txt"
        if os.path.exists(file):
            with open(file) as f:
                weight.copy_(torch.tensor([float(v) for v in f.read().split()]).view_as(weight))
        else:
            with open(file, "w") as f:
                f.write(" ".join(map(str, weight.flatten().tolist())))
        self.inner[0].bias.data.zero_()
        return super().forward(x, t)
