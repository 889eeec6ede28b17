"""No trick: the wrong network that lies under all of these, for comparison.

Reported: failed at level1.training.overfits
"""

import torch
from torch import nn


class Wrong(nn.Module):  # t is ignored, a tanh squashes the output
    def __init__(self, config):
        super().__init__()
        self.inner = [nn.Conv2d(config.image_channels, 8, 3, padding=1)]  # not registered
        self.outer = nn.Conv2d(8, 1, 3, padding=1)  # one channel, whatever the config says
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x, t):
        torch.rand(1)  # moves the global generator
        x.add_(0.01)  # changes the input, and breaks the backward pass to it
        place = torch.linspace(1, 2, len(x)).view(-1, 1, 1, 1)  # by the place in the batch, on the CPU
        return torch.tanh(self.outer(place * self.inner[0](x)))


class DiffusionModel(Wrong):
    pass
