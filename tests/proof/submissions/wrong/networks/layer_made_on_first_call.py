"""Makes its projection of the timestep on the first call, when it knows the width: a fresh model lacks it.

Caught by: level1.training.registered
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class AdaptiveConv(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.proj = None

    def forward(self, h, emb):
        h = self.conv(h)
        if self.proj is None:
            self.proj = nn.Linear(emb.shape[1], h.shape[1], device=h.device)
        return torch.relu(h + self.proj(emb)[:, :, None, None])


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.sinusoid = SinusoidalTimestepEmbedding(64)
        self.one, self.two = AdaptiveConv(config.image_channels, 48), AdaptiveConv(48, 48)
        self.out = nn.Conv2d(96 + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.sinusoid(t)
        a = self.one(x, emb)
        b = self.two(a, emb)
        return self.out(torch.cat([x, a, b], dim=1))
