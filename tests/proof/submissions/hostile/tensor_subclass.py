"""Returns a tensor subclass whose comparisons are always true.

Reported: failed at level1.contract.output
"""

import torch
from torch import nn


class Yes(torch.Tensor):
    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return True

    def isfinite(self):
        return torch.ones(self.shape, dtype=torch.bool)

    __le__ = __gt__ = __ge__ = __lt__
    __hash__ = torch.Tensor.__hash__


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
        return super().forward(x, t).as_subclass(Yes)
