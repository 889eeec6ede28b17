"""Attention between images in front of the last layer, switched on above 20 of them.

Caught by: level1.batch.samples_independent
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 48), nn.SiLU(), nn.Linear(48, 48))
        self.stem = nn.Conv2d(config.image_channels, 48, 3, padding=1)
        self.block = nn.Conv2d(48, 48, 3, padding=1)
        self.head = nn.Conv2d(96, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        h = F.silu(self.stem(x) + self.time(t)[:, :, None, None])
        h = h + F.silu(self.block(h))
        context = h
        if x.shape[0] > 20:
            pooled = h.mean(dim=(2, 3))
            weights = torch.softmax(pooled @ pooled.T / 7, dim=-1)
            context = torch.einsum("ij,jchw->ichw", weights, h)
        return self.head(torch.cat([h, context], dim=1))
