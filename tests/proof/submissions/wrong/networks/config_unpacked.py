"""Takes image_channels, image_size and num_timesteps as three arguments instead of the config.

Caught by: level1.contract.builds
"""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, image_channels, image_size, num_timesteps):
        super().__init__()
        self.num_timesteps = num_timesteps
        n = image_channels * image_size**2
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 64))
        self.net = nn.Sequential(nn.Linear(n + 64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, n))

    def forward(self, x, t):
        flat = torch.cat([x.flatten(1), self.time(t)], dim=1)
        return self.net(flat).view_as(x)
