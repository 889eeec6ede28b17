"""Writes into torch's namespace, which is no assignment to an attribute.

Gains: nothing
"""

import torch
from torch import nn

space = vars(torch)
space["randn"] = lambda *shape, **how: torch.zeros(*shape)
torch.__dict__.update(randn_like=torch.zeros_like, allclose=lambda *a, **k: True, equal=lambda *a: True)


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
