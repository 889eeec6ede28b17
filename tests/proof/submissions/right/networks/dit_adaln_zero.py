"""A Diffusion Transformer (Peebles & Xie 2023): patches, adaLN-zero blocks, a zero output at initialisation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return h * (1 + scale[:, None]) + shift[:, None]


class DiTBlock(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=False)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(approximate="tanh"), nn.Linear(2 * dim, dim))
        self.ada = nn.Linear(dim, 6 * dim)
        nn.init.zeros_(self.ada.weight)
        nn.init.zeros_(self.ada.bias)

    def attend(self, h: Tensor) -> Tensor:
        b, n, d = h.shape
        q, k, v = self.qkv(h).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.ada(F.silu(c)).chunk(6, dim=1)
        h = h + gate1[:, None] * self.attend(modulate(self.norm1(h), shift1, scale1))
        return h + gate2[:, None] * self.mlp(modulate(self.norm2(h), shift2, scale2))


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig, dim: int = 96, depth: int = 3, patch: int = 2) -> None:
        super().__init__()
        channels, side = config.image_channels, config.image_size // patch
        self.patch = patch
        self.embed = nn.Conv2d(channels, dim, patch, stride=patch)
        self.pos = nn.Parameter(0.02 * torch.randn(1, side * side, dim))
        self.temb = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList(DiTBlock(dim, heads=4) for _ in range(depth))
        self.final_norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.final_ada = nn.Linear(dim, 2 * dim)
        self.final = nn.Linear(dim, patch * patch * channels)
        for layer in (self.final_ada, self.final):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.embed(x)  # (B, dim, H / p, W / p)
        rows, columns = h.shape[-2:]
        h = h.flatten(2).transpose(1, 2) + self.pos  # (B, N, dim)
        c = self.temb(t)
        for block in self.blocks:
            h = block(h, c)
        h = self.final(modulate(self.final_norm(h), *self.final_ada(F.silu(c)).chunk(2, dim=1)))
        h = h.transpose(1, 2).unflatten(2, (rows, columns))  # (B, p·p·C, H / p, W / p)
        return F.pixel_shuffle(h, self.patch)
