"""FiLM (Perez et al. 2018), where each channel follows its own soft switch in time: sigmoid(slope * (t/T - centre))."""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig


class SmoothFiLM(nn.Module):
    """scale and shift of each channel move once, and smoothly, between t = 0 and t = T."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.rand(2, channels))
        self.slope = nn.Parameter(torch.ones(2, channels))
        self.size = nn.Parameter(0.1 * torch.randn(2, channels))

    def forward(self, h: Tensor, u: Tensor) -> Tensor:  # h (B, C, H, W), u (B,) in [0, 1)
        switch = torch.sigmoid(self.slope * (u[:, None, None] - self.centre))  # (B, 2, C)
        scale, shift = (self.size * switch)[..., None, None].unbind(1)
        return h * (1 + scale) + shift


class Layer(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.film = SmoothFiLM(channels)
        self.act = nn.SiLU()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, h: Tensor, u: Tensor) -> Tensor:
        return h + self.conv(self.act(self.film(self.norm(h), u)))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_timesteps = config.num_timesteps
        self.inward = nn.Conv2d(config.image_channels, 64, 3, padding=1)
        self.layers = nn.ModuleList(Layer(64, dilation) for dilation in (1, 2, 1, 2, 1, 2, 1))
        self.outward = nn.Conv2d(64, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        u = t / self.num_timesteps
        h = self.inward(x)
        for layer in self.layers:
            h = layer(h, u)
        return self.outward(h)
