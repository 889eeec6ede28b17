"""EDM2's layers (Karras et al. 2024): in train mode forward itself puts the weights back to unit norm."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def unit(w):
    return w / (w.flatten(1).norm(dim=1).view(-1, *[1] * (w.ndim - 1)) + 1e-4)


class UnitConv(nn.Module):
    def __init__(self, c_in, c_out, kernel=3):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))

    def forward(self, h):
        if self.training:
            with torch.no_grad():
                self.weight.copy_(unit(self.weight))
        return F.conv2d(h, unit(self.weight), padding=self.weight.shape[-1] // 2)


class DiffusionModel(nn.Module):
    def __init__(self, config, width=48):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = UnitConv(config.image_channels + 1, width)
        self.body = nn.ModuleList(UnitConv(width, width) for _ in range(3))
        self.gains = nn.Parameter(torch.ones(3))
        self.last = UnitConv(width, config.image_channels)
        self.out_gain = nn.Parameter(torch.ones(()))

    def forward(self, x, t):
        h = self.first(torch.cat([x, torch.ones_like(x[:, :1])], dim=1))
        emb = self.time(t)[:, :, None, None]
        for conv, gain in zip(self.body, self.gains, strict=True):
            h = 0.7 * h + 0.7 * conv(F.silu(gain * h) / 0.6 * (1 + emb))
        return self.out_gain * self.last(h)
