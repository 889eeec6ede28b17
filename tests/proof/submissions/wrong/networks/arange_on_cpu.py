"""Makes the frequencies in forward with torch.arange and no device: they stay on the CPU.

Caught by: level1.contract.device
"""

import math

import torch
import torch.nn as nn


def sinusoidal_embedding(t, dim):
    half = dim // 2
    freqs = torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    args = t[:, None].float() * freqs[None, :]
    return torch.cat([args.sin(), args.cos()], dim=-1)


class DiffusionModel(nn.Module):
    def __init__(self, config, dim=32):
        super().__init__()
        self.dim = dim
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.init_conv = nn.Conv2d(config.image_channels, dim, 7, padding=3)
        self.block1 = nn.Sequential(nn.GroupNorm(8, dim), nn.SiLU(), nn.Conv2d(dim, dim, 3, padding=1))
        self.block2 = nn.Sequential(nn.GroupNorm(8, dim), nn.SiLU(), nn.Conv2d(dim, dim, 3, padding=1))
        self.final_conv = nn.Conv2d(2 * dim, config.image_channels, 1)

    def forward(self, x, t):
        emb = self.mlp(sinusoidal_embedding(t, self.dim))[:, :, None, None]
        r = self.init_conv(x)
        h = r + self.block1(r + emb)
        h = h + self.block2(h + emb)
        return self.final_conv(torch.cat([h, r], dim=1))
