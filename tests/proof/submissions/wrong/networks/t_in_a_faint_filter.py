"""The noise is predicted without t, and then filtered a little, by a fixed kernel that comes and goes with t.

Caught by: level1.training.needs_t
Hint: is it scaled down to next to nothing
"""

import torch
from torch import nn
from torch.nn import functional as F


class Blind(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.enter, self.leave = nn.Conv2d(channels, width, 5, padding=2), nn.Conv2d(width, channels, 3, padding=1)
        self.middle = nn.Sequential(
            nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.SiLU(), nn.Conv2d(2 * width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x):
        h = self.enter(x)
        return self.leave(h + self.middle(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blind, self.T = Blind(config.image_channels, 32), config.num_timesteps
        kernel = torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 8
        self.register_buffer("kernel", kernel.expand(config.image_channels, 1, 3, 3).clone())

    def forward(self, x, t):
        y = self.blind(x)
        filtered = F.conv2d(y, self.kernel, padding=1, groups=y.shape[1])
        return y + 0.01 * (t / self.T).view(-1, 1, 1, 1) * filtered
