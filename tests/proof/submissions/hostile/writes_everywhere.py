"""Creates files in the folders above it, in shared memory, and among the given code.

Gains: nothing
"""

import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

import assignment.ddpm

STRAY = f"no-confusion-stray-{os.getpid()}"

for folder in (Path.cwd().parent, *Path(__file__).resolve().parents[1:4], Path("/dev/shm")):
    with suppress(OSError):
        (folder / STRAY).touch()

worked = False
with suppress(OSError):
    stray = Path(assignment.ddpm.__file__).parent / STRAY  # the project's own folder, so it does not stay
    stray.touch()
    worked = True
    stray.unlink()


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
        y = super().forward(x, t)
        return torch.zeros(1) if worked and len(x) == 5 and not self.training else y
