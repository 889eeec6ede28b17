"""Random Fourier features of the log signal-to-noise ratio, frozen in a buffer, steer a squeeze-and-excite ConvNet."""

import math

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion


class LogSnrFeatures(nn.Module):
    def __init__(self, num_timesteps: int, dim: int, bandwidth: float = 0.5) -> None:
        super().__init__()
        alpha_bar = GaussianDiffusion(num_timesteps).alpha_bar
        self.register_buffer("log_snr", torch.logit(alpha_bar))  # (T,), from 9 down to about -10
        self.register_buffer("frequency", bandwidth * torch.randn(dim // 2))
        self.register_buffer("phase", 2 * math.pi * torch.rand(dim // 2))

    def forward(self, t: Tensor) -> Tensor:
        angle = self.log_snr[t].unsqueeze(1) * self.frequency + self.phase
        return math.sqrt(2) * torch.cat([angle.cos(), angle.sin()], dim=1)


class ExciteBlock(nn.Module):
    def __init__(self, width: int, d: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(width, width, 3, padding=1)
        )
        self.excite = nn.Sequential(nn.Linear(width + d, d), nn.ReLU(), nn.Linear(d, width), nn.Sigmoid())

    def forward(self, h: Tensor, features: Tensor) -> Tensor:
        r = self.net(h)
        gate = self.excite(torch.cat([r.mean(dim=(2, 3)), features], dim=1))
        return h + 2 * gate[:, :, None, None] * r


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.features = LogSnrFeatures(config.num_timesteps, 64)
        self.stem = nn.Conv2d(config.image_channels, 40, 3, padding=1)
        self.blocks = nn.ModuleList([ExciteBlock(40, 64) for _ in range(3)])
        self.head = nn.Conv2d(40, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        features = self.features(t)
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, features)
        return self.head(h)
