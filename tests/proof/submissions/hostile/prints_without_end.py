"""Prints from processes of its own, for ever, as fast as the pipe takes it.

Gains: nothing
"""

import os

import torch
from torch import nn

for _ in range(3):
    if os.fork() == 0:
        while True:
            os.write(1, b"\n" * 65536)


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
    pass
