"""Stochastic depth skips a random block in every call, without asking for self.training.

Caught by: level1.behaviour.deterministic
"""

import random

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    survival = 0.8

    def __init__(self, config):
        super().__init__()
        self.sin = SinusoidalTimestepEmbedding(48)
        self.mlp = nn.Sequential(nn.Linear(48, 48), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, 48, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(48, 48, 3, padding=1) for _ in range(4))
        self.last = nn.Conv2d(48, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.mlp(self.sin(t))[:, :, None, None]
        h = self.first(x) + emb
        for block in self.blocks:
            if random.random() < self.survival:
                h = h + F.silu(block(h + emb))
        return self.last(h)
