"""Stops the process that it was forked from, for 30 seconds.

Gains: nothing
"""

import os
import select
import signal
from contextlib import suppress

import torch
from torch import nn


def stop(pid):
    """Has a child that lets it go on after a while, and ends with it."""
    handle = os.pidfd_open(pid)
    if os.fork() == 0:
        try:
            select.select([handle], [], [], 30)
            signal.pidfd_send_signal(handle, signal.SIGCONT)
        finally:
            os._exit(0)
    signal.pidfd_send_signal(handle, signal.SIGSTOP)
    os.close(handle)


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
            with suppress(OSError):
                stop(os.getppid())
        return super().forward(x, t)
