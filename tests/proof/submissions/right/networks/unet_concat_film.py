"""A U-Net with concatenated skips, GroupNorm, and FiLM: the timestep scales and shifts the normalised features."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class FiLMBlock(nn.Module):
    def __init__(self, c_in, c_out, d):
        super().__init__()
        self.norm1 = nn.GroupNorm(4, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.film = nn.Linear(d, 2 * c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.shortcut(x) + self.conv2(F.silu(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, d = 24, 96
        self.embed = SinusoidalTimestepEmbedding(c * 2)
        self.mlp = nn.Sequential(nn.Linear(c * 2, d), nn.SiLU(), nn.Linear(d, d), nn.SiLU())
        self.inp = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.down1 = FiLMBlock(c, c, d)
        self.pool1 = nn.Conv2d(c, c, 3, stride=2, padding=1)
        self.down2 = FiLMBlock(c, 2 * c, d)
        self.pool2 = nn.Conv2d(2 * c, 2 * c, 3, stride=2, padding=1)
        self.mid = FiLMBlock(2 * c, 2 * c, d)
        self.up2 = FiLMBlock(4 * c, 2 * c, d)
        self.up1 = FiLMBlock(3 * c, c, d)
        self.out = nn.Conv2d(2 * c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.mlp(self.embed(t))
        h0 = self.inp(x)
        h1 = self.down1(h0, emb)  # H
        h2 = self.down2(self.pool1(h1), emb)  # H / 2
        h = self.mid(self.pool2(h2), emb)  # H / 4
        h = F.interpolate(h, size=h2.shape[-2:], mode="nearest")
        h = self.up2(torch.cat([h, h2], dim=1), emb)
        h = F.interpolate(h, size=h1.shape[-2:], mode="nearest")
        h = self.up1(torch.cat([h, h1], dim=1), emb)
        return self.out(torch.cat([h, h0], dim=1))
