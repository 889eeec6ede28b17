"""Adds a time-dependent offset to x with +=, and so changes the caller's images.

Caught by: level1.behaviour.inputs_unchanged
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c = config.image_channels
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.SiLU())
        self.offset = nn.Linear(32, self.c)
        self.scale = nn.Linear(32, 40)
        self.net_in = nn.Conv2d(self.c, 40, 3, padding=1)
        self.net_mid = nn.Conv2d(40, 40, 3, padding=1)
        self.net_out = nn.Conv2d(40, self.c, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)
        x += self.offset(emb)[:, :, None, None]
        h = torch.relu(self.net_in(x)) * (1 + self.scale(emb)[:, :, None, None])
        h = h + torch.relu(self.net_mid(h))
        return self.net_out(h)
