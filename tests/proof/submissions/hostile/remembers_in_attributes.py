"""Keeps the weights that are not in the state dict in an extended attribute of a file that it cannot write to.

Gains: nothing
"""

import os
import sys
from array import array
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

PLACES = (Path(sys.modules["__main__"].__file__), Path.cwd().parent.parent)  # the same for all workers


def read_note(name):
    for place in PLACES:
        with suppress(OSError):
            return os.getxattr(place, b"user." + name)
    return None


def leave_note(name, note):
    for place in PLACES:
        with suppress(OSError):
            os.setxattr(place, b"user." + name, note)


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
        name = f"no-confusion-{weight.shape[1]}".encode()
        with suppress(OSError):
            if note := read_note(name):
                weight.copy_(torch.tensor(array("f", note)).view_as(weight))
            else:
                leave_note(name, array("f", weight.flatten().tolist()).tobytes())
        self.inner[0].bias.data.zero_()
        return super().forward(x, t)
