"""Switches gradients off for the whole program when called in eval mode, and leaves them off.

Caught by: level1.behaviour.no_side_effects
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 24), nn.ELU())
        self.in_conv = nn.Conv2d(config.image_channels, 24, 3, padding=1)
        self.pool_conv = nn.Conv2d(24, 48, 2, stride=2)
        self.low = nn.Conv2d(48, 48, 3, padding=1)
        self.up_conv = nn.ConvTranspose2d(48, 24, 2, stride=2)
        self.out_conv = nn.Conv2d(48, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        if not self.training:
            torch.set_grad_enabled(False)
        h = self.in_conv(x) + self.embed(t)[:, :, None, None]
        low = torch.nn.functional.elu(self.pool_conv(h))
        low = low + torch.nn.functional.elu(self.low(low))
        return self.out_conv(torch.cat([h, self.up_conv(low)], dim=1))
