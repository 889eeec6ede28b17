"""Multiplies its output by 0.00001 "for a stable start": it can't reach the size of the noise.

Caught by: level1.training.overfits
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    output_scale = 1e-5

    def __init__(self, config):
        super().__init__()
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 64), nn.SiLU())
        self.conv_in = nn.Conv2d(config.image_channels, 24, 3, padding=1)
        self.down = nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.to_down, self.to_up = nn.Linear(64, 48), nn.Linear(64, 24)
        self.up = nn.Conv2d(48 + 24, 24, 3, padding=1)
        self.norm = nn.GroupNorm(4, 24)
        self.conv_out = nn.Conv2d(24, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.embed(t)
        h = F.silu(self.conv_in(x))
        low = F.silu(self.down(h) + self.to_down(emb)[:, :, None, None])
        low = F.interpolate(low, size=x.shape[2:])
        h = self.up(torch.cat([h, low], dim=1)) + self.to_up(emb)[:, :, None, None]
        return self.output_scale * self.conv_out(F.silu(self.norm(h)))
