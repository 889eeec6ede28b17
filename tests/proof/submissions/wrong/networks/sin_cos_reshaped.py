"""Stacks sines on cosines along the batch axis and repairs the shape with view(): rows mix the timesteps of two images.

Caught by: level1.timestep.uses_every_t
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def get_timestep_embedding(t, dim):
    half = dim // 2
    freqs = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device) / half)
    args = t[:, None].float() * freqs[None, :]
    emb = torch.cat([torch.sin(args), torch.cos(args)], dim=0)
    return emb.view(len(t), dim)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        ch = 32
        self.dense = nn.ModuleList([nn.Linear(ch, ch), nn.Linear(ch, ch)])
        self.conv_in = nn.Conv2d(config.image_channels, ch, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(8, ch), nn.SiLU(), nn.Conv2d(ch, ch, 3, padding=1)) for _ in range(3)
        )
        self.conv_out = nn.Conv2d(ch, config.image_channels, 3, padding=1)
        self.ch = ch

    def forward(self, x, t):
        temb = get_timestep_embedding(t, self.ch)
        temb = self.dense[1](F.silu(self.dense[0](temb)))[:, :, None, None]
        h = self.conv_in(x)
        for block in self.blocks:
            h = h + block(h + temb)
        return self.conv_out(h)
