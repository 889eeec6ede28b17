"""Wraps t around a table of 100 rows (t % 100).

Caught by: level1.timestep.whole_range
"""

import torch.nn as nn
import torch.nn.functional as F

TABLE_SIZE = 100


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(TABLE_SIZE, 32)
        nn.init.normal_(self.table.weight, std=0.2)
        self.stem = nn.Conv2d(config.image_channels, 32, 7, padding=3)
        self.depthwise = nn.ModuleList(nn.Conv2d(32, 32, 5, padding=2, groups=32) for _ in range(3))
        self.pointwise = nn.ModuleList(nn.Conv2d(32, 32, 1) for _ in range(3))
        self.head = nn.Conv2d(32, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.table(t % TABLE_SIZE)[..., None, None]
        h = self.stem(x)
        for dw, pw in zip(self.depthwise, self.pointwise, strict=True):
            h = h + pw(F.gelu(dw(h) + emb))
        return self.head(h)
