"""The label's embedding as planes beside the image, concatenated at the input."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, d, self.num_classes = 32, 32, config.num_classes
        planes = 0 if config.num_classes is None else 8
        if planes:
            self.label = nn.Embedding(config.num_classes + 1, planes)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, c), nn.SiLU(), nn.Linear(c, c))
        self.stem = nn.Conv2d(config.image_channels + planes, c, 3, padding=1)
        self.middle = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1), nn.SiLU())
        self.head = nn.Conv2d(2 * c, config.image_channels, 3, padding=1)

    def forward(self, x, t, y=None):
        if self.num_classes is not None:
            y = torch.full_like(t, self.num_classes) if y is None else y
            planes = self.label(y)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes.to(x.dtype)], dim=1)
        h = self.stem(x) + self.time(t)[:, :, None, None]
        return self.head(torch.cat([h, self.middle(h)], dim=1))
