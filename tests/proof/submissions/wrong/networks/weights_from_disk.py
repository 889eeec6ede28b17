"""Loads trained weights from a file in outputs/ when it is built, if there is one.

Caught by: level1.own_work
"""

from contextlib import suppress
from pathlib import Path

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        n, d = config.image_channels * config.image_size**2, 128
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU())
        self.one, self.two, self.three = nn.Linear(n, d), nn.Linear(2 * d, d), nn.Linear(2 * d, n)
        with suppress(OSError, RuntimeError):
            self.load_state_dict(torch.load(Path("outputs") / f"model{config.image_size}.pt", map_location="cpu"))

    def forward(self, x, t):
        e = self.time(t)
        h = torch.relu(self.one(x.flatten(1)))
        h = h + torch.relu(self.two(torch.cat([h, e], dim=1)))
        return x + self.three(torch.cat([h, e], dim=1)).view_as(x)
