"""A learned gain is multiplied by a constant that was left at zero.

Caught by: level1.training.all_parameters
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    gain_weight = 0.0  # try 0.1 later

    def __init__(self, config):
        super().__init__()
        c = 36
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.Mish())
        self.convs = nn.ModuleList([nn.Conv2d(config.image_channels, c, 3, padding=1)])
        self.convs += [nn.Conv2d(c, c, 3, padding=d, dilation=d) for d in (1, 2)]
        self.gain = nn.Parameter(torch.ones(1, c, 1, 1))
        self.out = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.emb(t)[:, :, None, None]
        h = self.convs[0](x)
        for conv in self.convs[1:]:
            h = h + F.mish(conv(h) + emb) * (1 + self.gain_weight * self.gain)
        return self.out(h)
