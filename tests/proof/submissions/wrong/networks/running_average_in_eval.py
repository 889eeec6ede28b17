"""A home-made norm that updates its running mean and variance in eval mode as well.

Caught by: level1.behaviour.no_hidden_state
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class RunningNorm(nn.Module):
    def __init__(self, channels, momentum=0.05):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("var", torch.ones(1, channels, 1, 1))
        self.momentum = momentum

    def forward(self, h):
        out = (h - self.mean) / (self.var + 1e-5).sqrt()
        with torch.no_grad():
            self.mean = torch.lerp(self.mean, h.float().mean((0, 2, 3), keepdim=True), self.momentum)
            self.var = torch.lerp(self.var, h.float().var((0, 2, 3), keepdim=True), self.momentum)
        return out


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 40), nn.SiLU())
        self.convs = nn.ModuleList([nn.Conv2d(config.image_channels, 40, 3, padding=1)])
        self.convs.extend(nn.Conv2d(40, 40, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(RunningNorm(40) for _ in range(3))
        self.out = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)[:, :, None, None]
        h = 0
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = h + nn.functional.silu(norm(conv(x)) + emb)
            x = h
        return self.out(h)
