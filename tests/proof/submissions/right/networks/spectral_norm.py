"""spectral_norm on the inner convolutions: each training step also moves the buffers of its power iteration."""

import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 40
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, c), nn.Softplus())
        self.gains = nn.ModuleList(nn.Linear(c, c) for _ in range(3))
        self.first = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.convs = nn.ModuleList(spectral_norm(nn.Conv2d(c, c, 3, padding=1)) for _ in range(3))
        self.last = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)
        h = self.first(x)
        for conv, gain in zip(self.convs, self.gains, strict=True):
            h = h + F.leaky_relu(conv(h) * (1 + gain(emb)[:, :, None, None]), 0.2)
        return self.last(h)
