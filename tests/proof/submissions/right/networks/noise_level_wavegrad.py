"""Conditioned on the noise level √alpha-bar as in WaveGrad, not on t itself; works on a Laplacian pyramid."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.diffusion import GaussianDiffusion


class NoiseLevelEncoding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("rates", torch.logspace(0, 3, dim // 2))

    def forward(self, level):
        phase = level[:, None] * self.rates
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class Band(nn.Module):
    """One level of the pyramid: a small ConvNet on one frequency band and the coarser one below it."""

    def __init__(self, channels, width, d):
        super().__init__()
        self.a = nn.Conv2d(2 * channels, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 3, padding=1)
        self.c = nn.Conv2d(width, channels, 3, padding=1)
        self.film = nn.Linear(d, 2 * width)

    def forward(self, band, low, emb):
        scale, shift = self.film(emb)[:, :, None, None].chunk(2, dim=1)
        h = F.silu(self.a(torch.cat([band, low], dim=1)) * (1 + scale) + shift)
        return band + self.c(h + F.silu(self.b(h)))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, width, d = config.image_channels, 32, 64
        self.register_buffer("level", GaussianDiffusion(config.num_timesteps).sqrt_alpha_bar, persistent=False)
        self.encode = nn.Sequential(NoiseLevelEncoding(d), nn.Linear(d, d), nn.SiLU())
        self.bands = nn.ModuleList([Band(c, width, d) for _ in range(3)])

    def forward(self, x, t):
        emb = self.encode(self.level[t])
        half = F.avg_pool2d(x, 2)
        quarter = F.avg_pool2d(half, 2, ceil_mode=True)
        up = lambda z, like: F.interpolate(z, size=like.shape[2:], mode="bilinear")  # noqa: E731
        out = self.bands[0](quarter, quarter, emb)
        out = self.bands[1](half - up(quarter, half), up(out, half), emb) + up(out, half)
        return self.bands[2](x - up(half, x), up(out, x), emb) + up(out, x)
