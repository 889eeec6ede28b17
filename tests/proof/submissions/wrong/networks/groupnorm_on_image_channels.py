"""Puts GroupNorm(8, …) on the image itself, which has one channel or three: 8 groups do not divide them.

Caught by: level1.contract.builds
"""

import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def norm_act_conv(c_in, c_out):
    return nn.Sequential(nn.GroupNorm(8, c_in), nn.SiLU(), nn.Conv2d(c_in, c_out, 3, padding=1))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width), nn.SiLU())
        self.block1 = norm_act_conv(config.image_channels, width)
        self.block2 = norm_act_conv(width, width)
        self.block3 = norm_act_conv(width, config.image_channels)

    def forward(self, x, t):
        h = self.block1(x) + self.time(t)[:, :, None, None]
        return self.block3(h + self.block2(h))
