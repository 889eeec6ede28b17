"""Squeezes 28×28 to one vector with AvgPool2d(7) and grows it back with a 7×7 transposed convolution.

Config: fashion_mnist
Caught by: level1.contract.other_shapes
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class UnetUp(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.up = nn.ConvTranspose2d(c_in, c_out, 2, 2)
        self.conv = nn.Sequential(nn.Conv2d(c_out, c_out, 3, padding=1), nn.GroupNorm(8, c_out), nn.ReLU())

    def forward(self, x, skip):
        return self.conv(self.up(torch.cat([x, skip], dim=1)))


class DiffusionModel(nn.Module):
    def __init__(self, config, n_feat=16):
        super().__init__()
        c = config.image_channels
        self.init_conv = nn.Sequential(nn.Conv2d(c, n_feat, 3, padding=1), nn.GroupNorm(8, n_feat), nn.ReLU())
        self.down1 = nn.Sequential(nn.Conv2d(n_feat, n_feat, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.down2 = nn.Sequential(nn.Conv2d(n_feat, 2 * n_feat, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.to_vec = nn.Sequential(nn.AvgPool2d(7), nn.GELU())
        self.timeembed = nn.Sequential(SinusoidalTimestepEmbedding(32), nn.Linear(32, 2 * n_feat), nn.GELU())
        self.up0 = nn.Sequential(nn.ConvTranspose2d(2 * n_feat, 2 * n_feat, 7, 7), nn.GroupNorm(8, 2 * n_feat))
        self.up1 = UnetUp(4 * n_feat, n_feat)
        self.up2 = UnetUp(2 * n_feat, n_feat)
        self.out = nn.Conv2d(2 * n_feat + c, c, 3, padding=1)

    def forward(self, x, t):
        x0 = self.init_conv(x)
        down1 = self.down1(x0)
        down2 = self.down2(down1)
        emb = self.timeembed(t)[:, :, None, None]
        h = self.up0(self.to_vec(down2) + emb)
        h = self.up1(torch.relu(h) + emb, down2)
        h = self.up2(h, down1)
        return self.out(torch.cat([h, x0, x], dim=1))
