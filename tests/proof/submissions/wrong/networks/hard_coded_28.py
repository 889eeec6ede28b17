"""A fully connected network made for 28×28 pixels, whatever the config says.

Config: fashion_mnist
Caught by: level1.contract.other_shapes
"""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = SinusoidalTimestepEmbedding(64)
        self.fc1 = nn.Linear(config.image_channels * 28 * 28 + 64, 128)
        self.fc2 = nn.Linear(128 + 64, 128)
        self.fc3 = nn.Linear(128, config.image_channels * 28 * 28)
        self.gain = nn.Linear(64, 1)

    def forward(self, x, t):
        emb, flat = self.time(t), x.flatten(1)
        h = torch.relu(self.fc1(torch.cat([flat, emb], dim=1)))
        h = torch.relu(self.fc2(torch.cat([h, emb], dim=1)))
        return (self.fc3(h) + self.gain(emb) * flat).view_as(x)
