"""Ends the process with 0 from a thread, while a call is under way.

Reported: error at level1.contract.shapes
"""

import os
import threading
import time

import torch
from torch import nn


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
            threading.Timer(0.01, os._exit, (0,)).start()
            time.sleep(0.2)
        return super().forward(x, t)
