"""Keeps the table of embeddings as a plain attribute, and looks t up in it.

Caught by: level1.contract.device
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DiffusionModel(nn.Module):
    def __init__(self, config, width=32):
        super().__init__()
        steps = torch.arange(config.num_timesteps)[:, None] * torch.logspace(0, -4, 32)
        table = torch.cat([steps.sin(), steps.cos()], dim=1)  # (T, 64)
        self.table = table
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h, emb = self.first(x), self.time(self.table[t])[:, :, None, None]
        for conv in self.body:
            h = h + conv(F.silu(h) + emb)
        return self.last(F.silu(h))
