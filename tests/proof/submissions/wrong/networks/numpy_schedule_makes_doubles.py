"""Scales its output by a schedule made with NumPy: float64, and so is the output.

Caught by: level1.contract.output
"""

import numpy as np
import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        betas = np.linspace(1e-4, 0.02, config.num_timesteps)
        sigma = np.sqrt(1 - np.cumprod(1 - betas))
        self.register_buffer("sigma", torch.from_numpy(sigma))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SELU())
        self.a = nn.Conv2d(config.image_channels, 32, 5, padding=2)
        self.b = nn.Conv2d(32, 32, 5, padding=2)
        self.c = nn.Conv2d(32, config.image_channels, 5, padding=2)

    def forward(self, x, t):
        h = torch.selu(self.a(x) + self.time(t)[:, :, None, None])
        h = h + torch.selu(self.b(h))
        return self.c(h) + self.sigma[t][:, None, None, None] * x
