"""A Fourier neural operator (Li et al. 2021): complex weights on the low frequencies, plus a 3×3 convolution."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SpectralConv(nn.Module):
    def __init__(self, width, modes):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(width, width, 2 * modes, modes, 2) / width)

    def forward(self, h):
        m = self.modes
        f = torch.fft.rfft2(h.float(), norm="ortho")  # fft knows no bfloat16
        w = torch.view_as_complex(self.weight.float())
        low = torch.cat([f[:, :, :m, :m], f[:, :, -m:, :m]], dim=2)
        low = torch.einsum("bixy,ioxy->boxy", low, w)
        out = torch.zeros_like(f)
        out = torch.cat([low[:, :, :m], out[:, :, m:-m, :m], low[:, :, m:]], dim=2)
        out = F.pad(torch.view_as_real(out), (0, 0, 0, f.shape[-1] - m))
        return torch.fft.irfft2(torch.view_as_complex(out), s=h.shape[-2:], norm="ortho").to(h.dtype)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = 24
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(48), nn.Linear(48, 96), nn.GELU())
        self.lift = nn.Conv2d(config.image_channels, width, 1)
        self.spectral = nn.ModuleList([SpectralConv(width, 3) for _ in range(3)])
        self.local = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(3)])
        self.film = nn.ModuleList([nn.Linear(96, 2 * width) for _ in range(3)])
        self.project = nn.Sequential(nn.Conv2d(width, 64, 1), nn.GELU(), nn.Conv2d(64, config.image_channels, 1))

    def forward(self, x, t):
        emb = self.time(t)
        h = self.lift(x)
        for spectral, local, film in zip(self.spectral, self.local, self.film, strict=True):
            scale, shift = film(emb)[:, :, None, None].chunk(2, dim=1)
            h = h + F.gelu((spectral(h) + local(h)) * (1 + scale) + shift)
        return self.project(h)
