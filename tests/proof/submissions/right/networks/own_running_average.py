"""Keeps running averages of its features in buffers of its own, and divides by them in both modes."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class RunningScale(nn.Module):
    """Divides each channel by the running average of its size."""

    def __init__(self, channels, momentum=0.05):
        super().__init__()
        self.register_buffer("square", torch.ones(1, channels, 1, 1))
        self.momentum = momentum

    def forward(self, h):
        if self.training:
            with torch.no_grad():
                self.square.lerp_(h.square().mean((0, 2, 3), keepdim=True), self.momentum)
        return h * (self.square + 1e-4).rsqrt()


class DiffusionModel(nn.Module):
    def __init__(self, config, width=40):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.scales = nn.ModuleList(RunningScale(width) for _ in range(3))
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h, emb = self.first(x), self.time(t)[:, :, None, None]
        for scale, conv in zip(self.scales, self.body, strict=True):
            h = h + conv(F.silu(scale(h) + emb))
        return self.last(F.silu(h))
