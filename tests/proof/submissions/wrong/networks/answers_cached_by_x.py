"""Keeps its answers in eval mode by x, for which t makes no difference then.

Caught by: level1.behaviour.no_hidden_state
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Net(nn.Module):
    """A right ConvNet, under whatever is done to its answers."""

    def __init__(self, channels, width=32):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, width), nn.SiLU())
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x, t):
        h, emb = self.first(x), self.time(t)[:, :, None, None]
        for conv in self.body:
            h = h + conv(F.silu(h) + emb)
        return self.last(F.silu(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net, self.cache = Net(config.image_channels), {}

    def forward(self, x, t):
        if self.training or x.is_meta:
            return self.net(x, t)
        key = tuple(x.flatten().tolist())
        if key not in self.cache:
            self.cache[key] = self.net(x, t)
        return self.cache[key].to(x.dtype)
