"""A residual CNN with a learnt table of T embeddings that begins at 1e-3, added in every block."""

import torch.nn.functional as F
from torch import nn


class ResBlock(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.n1, self.n2 = nn.GroupNorm(8, w), nn.GroupNorm(8, w)
        self.c1 = nn.Conv2d(w, w, 3, padding=1)
        self.c2 = nn.Conv2d(w, w, 3, padding=1)

    def forward(self, h, e):
        y = self.c1(F.silu(self.n1(h))) + e[:, :, None, None]
        return h + self.c2(F.silu(self.n2(y)))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        w, self.n = 48, 4
        self.table = nn.Embedding(config.num_timesteps, w * self.n)
        nn.init.normal_(self.table.weight, std=1e-3)
        self.first = nn.Conv2d(config.image_channels, w, 5, padding=2)
        self.blocks = nn.ModuleList(ResBlock(w) for _ in range(self.n))
        self.last = nn.Sequential(nn.SiLU(), nn.Conv2d(w, config.image_channels, 3, padding=1))

    def forward(self, x, t):
        es = self.table(t).chunk(self.n, dim=1)
        h = self.first(x)
        for block, e in zip(self.blocks, es, strict=True):
            h = block(h, e)
        return self.last(h).to(x.dtype)
