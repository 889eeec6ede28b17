"""A plain residual ConvNet at full resolution; the timestep is added to the features of every block."""

import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ResBlock(nn.Module):
    def __init__(self, width: int, emb_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.emb = nn.Linear(emb_dim, width)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        r = self.conv1(F.silu(h)) + self.emb(emb)[:, :, None, None]
        return h + self.conv2(F.silu(r))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, emb_dim = 48, 128
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, emb_dim), nn.SiLU())
        self.first = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(width, emb_dim) for _ in range(3))
        self.last = nn.Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.time(t)  # (B, emb_dim)
        h = self.first(x)  # (B, width, H, W)
        for block in self.blocks:
            h = block(h, emb)
        return self.last(F.silu(h))
