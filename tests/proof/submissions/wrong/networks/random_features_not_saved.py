"""Random Fourier frequencies in a buffer with persistent=False: every fresh model draws others.

Caught by: level1.training.registered
"""

import math

import torch
import torch.nn as nn


class GaussianFourierProjection(nn.Module):
    def __init__(self, embed_dim, scale=8.0):
        super().__init__()
        self.register_buffer("W", torch.randn(embed_dim // 2) * scale, persistent=False)

    def forward(self, level):
        proj = level[:, None] * self.W[None, :] * 2 * math.pi
        return torch.cat([torch.sin(proj), torch.cos(proj)], dim=-1)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.T = config.num_timesteps
        self.embed = nn.Sequential(GaussianFourierProjection(64), nn.Linear(64, 64), nn.SiLU())
        self.conv1 = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.dense1, self.dense2 = nn.Linear(64, 32), nn.Linear(64, 64)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 32, 3, padding=1)
        self.tail = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.embed(t.float() / self.T)
        h1 = self.conv1(x) + self.dense1(emb)[:, :, None, None]
        h2 = nn.functional.silu(self.conv2(nn.functional.silu(h1)) + self.dense2(emb)[:, :, None, None])
        return self.tail(self.conv3(h2) + h1)
