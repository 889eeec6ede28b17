"""Finds the probes through the stack, and has them say the shape that is wanted.

Reported: error at level1.contract.other_shapes
"""

import sys

import torch
from torch import nn


def describe(y):
    b, _, h, w = y.shape
    return {**original(y), "shape": [b, 3 if h == 32 else 1, h, w]}


frame = sys._getframe()
while "perturb" not in frame.f_globals or "describe" not in frame.f_globals:
    frame = frame.f_back
original = frame.f_globals["describe"]
frame.f_globals["describe"] = describe


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
