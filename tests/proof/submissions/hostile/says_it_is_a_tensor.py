"""Returns an object whose __class__ says torch.Tensor, with the shape that is wanted.

Reported: error at level1.contract.shapes
"""

import torch
from torch import nn


class Yes:
    __class__ = torch.Tensor
    dtype, device, layout = torch.float32, torch.device("cpu"), torch.strided
    requires_grad = is_meta = False

    def __init__(self, shape):
        self.shape = shape

    def __eq__(self, other):
        return True

    def is_complex(self):
        return False

    def detach(self, *arguments, **named):
        return self

    __hash__ = None
    cpu = clone = contiguous = detach


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
        return Yes(super().forward(x, t).shape)
