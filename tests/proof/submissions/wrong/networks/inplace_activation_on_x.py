"""An activation with inplace=True is the first layer of a residual block, and so works on the caller's x.

Caught by: level1.behaviour.inputs_unchanged
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def preactivation(c_in, c_out):
    return nn.Sequential(nn.LeakyReLU(0.5, inplace=True), nn.Conv2d(c_in, c_out, 3, padding=1))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.t = nn.Sequential(SinusoidalTimestepEmbedding(48), nn.Linear(48, 32))
        self.block1 = preactivation(config.image_channels, 32)
        self.block2 = preactivation(64, 48)
        self.block3 = preactivation(48, config.image_channels)

    def forward(self, x, t):
        h = self.block1(x)
        emb = self.t(t)[:, :, None, None].expand_as(h)
        return self.block3(self.block2(torch.cat([h, emb], dim=1)))
