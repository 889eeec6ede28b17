"""padding_idx keeps the row of no class at zero."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Block(nn.Module):
    def __init__(self, c, d):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1))
        self.emb = nn.Linear(d, c)
        self.second = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1))

    def forward(self, h, emb):
        return h + self.second(self.first(h) + self.emb(emb)[:, :, None, None])


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, d = 24, 48
        self.num_classes = config.num_classes
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        if config.num_classes is not None:
            self.label = nn.Embedding(config.num_classes + 1, d, padding_idx=config.num_classes)
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.blocks = nn.ModuleList(Block(c, d) for _ in range(2))
        self.head = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, config.image_channels, 3, padding=1))

    def forward(self, x, t, y=None):
        emb = self.time(t)
        if self.num_classes is not None:
            if y is None:
                y = torch.full_like(t, self.num_classes)
            emb = emb + self.label(y)
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.head(h)
