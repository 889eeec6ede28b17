"""PyTorch's own nn.MultiheadAttention on pixels or 2×2 patches, with the timestep as keys and values of its own."""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class EncoderLayer(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.shift = nn.Linear(dim, dim)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """h (B, N, dim), emb (B, 1, dim) → (B, N, dim)."""
        y = self.norm1(h) + self.shift(emb)
        memory = torch.cat([emb, y], dim=1)
        h = h + self.attention(y, memory, memory, need_weights=False)[0]
        return h + self.mlp(self.norm2(h) + self.shift(emb))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, patch = 64, 2 if config.image_size <= 8 else 4
        self.encode = nn.Conv2d(config.image_channels, dim, patch, stride=patch)
        self.decode = nn.ConvTranspose2d(dim, config.image_channels, patch, stride=patch)
        side = config.image_size // patch
        self.row = nn.Parameter(torch.randn(side, 1, dim) * 0.1)
        self.column = nn.Parameter(torch.randn(1, side, dim) * 0.1)
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.GELU())
        self.layers = nn.ModuleList([EncoderLayer(dim, 4) for _ in range(3)])

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        grid = self.encode(x)
        position = (self.row + self.column).flatten(0, 1)  # (N, dim)
        h = grid.flatten(2).transpose(1, 2) + position
        emb = self.embed(t).unsqueeze(1)
        for layer in self.layers:
            h = layer(h, emb)
        return self.decode(h.transpose(1, 2).reshape(grid.shape))
