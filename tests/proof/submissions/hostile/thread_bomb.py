"""Starts threads until no more can be had; all stay for a while.

Gains: nothing
"""

import _thread
import time
from contextlib import suppress

import torch
from torch import nn

chances = iter(range(500))


def explode():
    usual = _thread.stack_size(256 << 10)  # small, so that not the address space runs out
    with suppress(RuntimeError):
        for _ in chances:
            _thread.start_new_thread(time.sleep, (30,))
    _thread.stack_size(usual)


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
        if len(x) == 5 and not self.training:
            explode()
        return super().forward(x, t)
