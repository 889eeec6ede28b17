"""Divides by the largest pixel of the batch, not of each image, and multiplies back at the end.

Caught by: level1.batch.samples_independent
"""

import torch
import torch.nn as nn


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        n = config.image_channels * config.image_size**2
        self.T = config.num_timesteps
        self.a = nn.Linear(n + 16, 256)
        self.b = nn.Linear(256 + 16, 256)
        self.c = nn.Linear(256, n)
        self.register_buffer("k", torch.arange(1, 9) * torch.pi)

    def forward(self, x, t):
        scale = x.abs().amax().clamp(min=1e-6)
        z = (x / scale).flatten(1)
        phase = t[:, None] / self.T * self.k
        e = torch.cat([phase.sin(), phase.cos()], dim=1)
        h = torch.relu(self.a(torch.cat([z, e], dim=1)))
        h = torch.relu(self.b(torch.cat([h, e], dim=1))) + h
        return (self.c(h) + z).view_as(x) * scale
