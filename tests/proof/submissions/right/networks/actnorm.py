"""ActNorm (Kingma & Dhariwal 2018): the first batch in train mode sets scale and shift, and a buffer remembers it."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ActNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("ready", torch.tensor(False))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, h):
        if self.training and not self.ready:
            with torch.no_grad():
                self.shift.copy_(-h.mean((0, 2, 3), keepdim=True))
                self.log_scale.copy_(-h.std((0, 2, 3), keepdim=True).clamp(min=1e-3).log())
                self.ready.fill_(True)
        return (h + self.shift) * self.log_scale.exp()


class DiffusionModel(nn.Module):
    def __init__(self, config, width=40):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.norms = nn.ModuleList(ActNorm(width) for _ in range(3))
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h, emb = self.first(x), self.time(t)[:, :, None, None]
        for norm, conv in zip(self.norms, self.body, strict=True):
            h = h + conv(F.silu(norm(h) + emb))
        return self.last(F.silu(h))
