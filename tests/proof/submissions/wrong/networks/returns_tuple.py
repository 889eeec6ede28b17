"""Returns the prediction together with its last features, as a tuple.

Caught by: level1.contract.output
"""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.t_mlp = nn.Sequential(SinusoidalTimestepEmbedding(40), nn.Linear(40, 40), nn.ReLU())
        self.c0 = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.c1 = nn.Conv2d(40, 40, 3, padding=1)
        self.c2 = nn.Conv2d(40, 40, 3, padding=1)
        self.c3 = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        e = self.t_mlp(t)[:, :, None, None]
        h = self.c0(x)
        h = h + F.relu(self.c1(h) + e)
        h = h + F.relu(self.c2(h) + e)
        return self.c3(h), h
