"""Only knows whether t lies in the upper half: (t > T/2) as a number.

Caught by: level1.timestep.whole_range
"""

import torch
import torch.nn as nn


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.midpoint = config.num_timesteps / 2
        n = config.image_channels * config.image_size**2
        self.inp = nn.Linear(n, 192)
        self.time = nn.Linear(1, 192)
        self.mid = nn.Linear(192, 192)
        self.out = nn.Linear(192, n)

    def forward(self, x, t):
        noisy = (t > self.midpoint).float().unsqueeze(-1)
        h = torch.nn.functional.silu(self.inp(x.flatten(1)) + self.time(noisy))
        h = torch.nn.functional.silu(self.mid(h) + self.time(noisy)) + h
        return x + self.out(h).view_as(x)
