"""Gates from t that are stuck in the flat end of a sigmoid, between 1.002 and 1.018.

Caught by: level1.training.needs_t
Hint: is it scaled down to next to nothing
"""

import torch
import torch.nn.functional as F
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class GatedBlock(nn.Module):
    def __init__(self, w, emb):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(6, w),
            nn.GELU(),
            nn.Conv2d(w, w, 3, padding=1),
            nn.GroupNorm(6, w),
            nn.GELU(),
            nn.Conv2d(w, w, 3, padding=1),
        )
        self.gate = nn.Linear(emb, w)

    def forward(self, h, e):
        g = 1 + torch.sigmoid(torch.tanh(self.gate(e)) - 5)
        return h + g[:, :, None, None] * self.body(h)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        w = 48
        self.time = SinusoidalTimestepEmbedding(64)
        self.mlp = nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU())
        self.inp = nn.Conv2d(config.image_channels, w, 3, padding=1)
        self.blocks = nn.ModuleList(GatedBlock(w, 128) for _ in range(5))
        self.out = nn.Conv2d(w, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        e = self.mlp(self.time(t).to(x.dtype))
        h = self.inp(x)
        for b in self.blocks:
            h = b(h, e)
        return self.out(F.gelu(h)).to(x.dtype)
