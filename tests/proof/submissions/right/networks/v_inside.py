"""Predicts v (Salimans & Ho 2022) inside and returns the noise that follows: eps = √(1 - ᾱ)·x + √ᾱ·v."""

import torch
import torch.nn as nn

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class VNet(nn.Module):
    """Works on 2×2 blocks of pixels: pixel_unshuffle in, pixel_shuffle out."""

    def __init__(self, channels, width):
        super().__init__()
        self.fold, self.unfold = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width), nn.SELU())
        self.enter = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.middle = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(3)])
        self.scales = nn.ModuleList([nn.Linear(width, width) for _ in range(3)])
        self.leave = nn.Conv2d(width, 4 * channels, 3, padding=1)

    def forward(self, x, t):
        emb = self.time(t)
        h = self.enter(self.fold(x))
        for conv, scale in zip(self.middle, self.scales, strict=True):
            h = h + torch.selu(conv(h * (1 + scale(emb)[:, :, None, None])))
        return self.unfold(self.leave(h))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = VNet(config.image_channels, 56)
        diffusion = GaussianDiffusion(config.num_timesteps)
        self.register_buffer("signal", diffusion.sqrt_alpha_bar)
        self.register_buffer("noise", diffusion.sqrt_one_minus_alpha_bar)

    def forward(self, x, t):
        v = self.net(x, t)
        return self.noise[t].view(-1, 1, 1, 1) * x + self.signal[t].view(-1, 1, 1, 1) * v
