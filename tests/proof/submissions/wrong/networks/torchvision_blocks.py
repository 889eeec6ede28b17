"""Builds its trunk from the residual blocks of torchvision.models.

Caught by: level1.own_work
"""

import torch
import torch.nn as nn
from torchvision.models.resnet import BasicBlock

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 32), nn.ReLU())
        self.stem = nn.Conv2d(config.image_channels, 32, 3, padding=1)
        self.layer1, self.layer2 = BasicBlock(32, 32), BasicBlock(32, 32)
        self.out = nn.Conv2d(64 + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)[:, :, None, None]
        h = self.stem(x) + emb
        r = self.layer2(self.layer1(h) + emb)
        return self.out(torch.cat([x, h, r], dim=1))
