"""Tries to lift its limits, to become root, and to look behind what is mounted over.

Gains: nothing
"""

import ctypes
import os
import resource
from contextlib import suppress

import torch
from torch import nn

CLONE_NEWNS, CLONE_NEWUSER, MNT_DETACH = 0x20000, 0x10000000, 2

for limit in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
    with suppress(OSError, ValueError):
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with suppress(OSError):
    os.setuid(0)
libc = ctypes.CDLL(None)
libc.unshare(CLONE_NEWUSER | CLONE_NEWNS)
libc.umount2(b"/submissions", MNT_DETACH)


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
