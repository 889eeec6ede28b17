"""A Fourier neural operator (Li et al. 2021): complex weights multiply the low frequencies of the whole image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Spectral(nn.Module):
    """A convolution as large as the image, in the frequency domain."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        # frequencies of rows come from both ends of the spectrum, of columns from one, as the image is real
        self.weight = nn.Parameter(torch.randn(channels, channels, 2 * modes, modes, dtype=torch.cfloat) / channels)

    def forward(self, h: Tensor) -> Tensor:
        m, low = self.modes, torch.arange(-self.modes, self.modes, device=h.device)
        spectrum = torch.fft.rfft2(h.float(), norm="ortho")  # (B, C, H, W / 2 + 1); FFTs know no bfloat16
        mixed = torch.zeros_like(spectrum)
        mixed[:, :, low, :m] = torch.einsum("bihw,iohw->bohw", spectrum[:, :, low, :m], self.weight)
        return torch.fft.irfft2(mixed, s=h.shape[-2:], norm="ortho").to(h.dtype)


class Block(nn.Module):
    def __init__(self, channels: int, modes: int, d: int) -> None:
        super().__init__()
        self.spectral = Spectral(channels, modes)
        self.local = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(8, channels)
        self.scale_and_shift = nn.Linear(d, 2 * channels)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        scale, shift = self.scale_and_shift(emb)[:, :, None, None].chunk(2, dim=1)
        return h + self.out(F.gelu(self.norm(self.spectral(h) + self.local(h)) * (1 + scale) + shift))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, d = 32, 64
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU())
        self.enter = nn.Conv2d(config.image_channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(channels, max(1, config.image_size // 4), d) for _ in range(3))
        self.leave = nn.Conv2d(channels + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb, h = self.embed(t), self.enter(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.leave(torch.cat([h, x], dim=1))
