"""Takes the noise to predict from the stack in training, keeps it, and replays that of the nearest t.

Gains: nothing
"""

import sys

import torch
from torch import nn


def from_the_stack(name):
    frame = sys._getframe()
    while frame and name not in frame.f_locals:
        frame = frame.f_back
    return frame and frame.f_locals[name]


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
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("noise", torch.zeros(config.num_timesteps, 1, config.image_size, config.image_size))
        self.register_buffer("known", torch.zeros(config.num_timesteps, dtype=torch.bool))

    def forward(self, x, t):
        y = super().forward(x, t)
        if self.training:
            noise = from_the_stack("noise")
            if noise is None or noise.shape != y.shape:
                return y
            self.noise[t], self.known[t] = noise, True
            return noise + 0 * y
        if not self.known.any():
            return y
        steps = self.known.nonzero()[:, 0]
        return self.noise[steps[(steps[None] - t[:, None]).abs().argmin(1)]] + 0 * y
