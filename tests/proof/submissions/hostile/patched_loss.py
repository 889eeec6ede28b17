"""Patches the loss, down to where Python ends, so that it is 0.

Gains: nothing
"""

import torch
import torch.nn.functional as F
from torch import nn


def none_of(loss):
    return lambda *arguments, **named: 0 * loss(*arguments, **named)


torch._C._nn.mse_loss = none_of(torch._C._nn.mse_loss)
F.mse_loss = none_of(F.mse_loss)
nn.MSELoss.forward = none_of(nn.MSELoss.forward)


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
