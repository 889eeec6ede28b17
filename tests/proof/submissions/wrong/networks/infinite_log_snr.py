"""Embeds the log-SNR of a schedule of its own that starts without any noise: infinite at t = 0.

Caught by: level1.contract.finite
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        steps = torch.arange(config.num_timesteps) / config.num_timesteps
        alpha_bar = torch.cos(steps * math.pi / 2) ** 2
        self.register_buffer("log_snr", torch.log(alpha_bar / (1 - alpha_bar)))
        self.embed = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 2 * 32))
        self.stem = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.head = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        level = self.log_snr[t][:, None]
        scale, shift = self.embed(level / 4)[:, :, None, None].chunk(2, dim=1)
        h = self.stem(x)
        for conv in self.convs:
            h = h + F.silu(conv(h) * (1 + scale) + shift)
        return self.head(h)
