"""Forks, and so does each child, until no process can be had; all stay for a while.

Gains: nothing
"""

import os
import signal
import time
from contextlib import suppress

import torch
from torch import nn

MOST = 200  # processes, one for each byte in the pipe, which all of them read from
SECONDS = 30  # that each lives at most

tickets, end = os.pipe()
os.write(end, bytes(MOST))
os.close(end)


def explode():
    first = os.getpid()
    try:
        with suppress(OSError):
            while os.read(tickets, 1):
                if os.fork() == 0:
                    signal.alarm(SECONDS)
        if os.getpid() != first:
            time.sleep(SECONDS)
    finally:
        if os.getpid() != first:
            os._exit(0)


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
