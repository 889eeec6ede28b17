"""Seeds everything at the top of the file: importing it resets the random numbers of the whole program.

Caught by: level1.behaviour.no_side_effects
"""

import random

import numpy as np
import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

SEED = 1234
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        n, h = config.image_channels * config.image_size**2, 128
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(h), nn.Linear(h, h), nn.Tanh())
        self.net = nn.ModuleList([nn.Linear(n + h, h), nn.Linear(2 * h, h), nn.Linear(2 * h, n)])

    def forward(self, x, t):
        e = self.time(t)
        flat = x.flatten(1)
        h = torch.relu(self.net[0](torch.cat([flat, e], dim=1)))
        h = torch.relu(self.net[1](torch.cat([h, e], dim=1)))
        return x + self.net[2](torch.cat([h, e], dim=1)).view_as(x)
