"""The label over K as a plane beside the image.

Caught by: level6.labels.names
Hint: y is taken for a size
"""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, self.K = 32, config.num_classes
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU(), nn.Linear(c, c))
        self.stem = nn.Conv2d(config.image_channels + (self.K is not None), c, 3, padding=1)
        self.body = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1), nn.SiLU())
        self.head = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t, y=None):
        if self.K is not None:
            y = torch.full_like(t, self.K) if y is None else y
            plane = (y / self.K)[:, None, None, None].expand(-1, 1, *x.shape[2:])
            x = torch.cat([x, plane.to(x.dtype)], dim=1)
        h = self.stem(x) + self.time(t)[:, :, None, None]
        return self.head(h + self.body(h))
