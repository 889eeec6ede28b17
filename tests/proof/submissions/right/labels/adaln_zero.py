"""DiT: patches, attention, and adaLN-Zero from the sum of t's and the label's embedding."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Layer(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(d, elementwise_affine=False) for _ in range(2))
        self.attention = nn.MultiheadAttention(d, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.modulation = nn.Linear(d, 6 * d)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, h, c):
        a, b, g, e, f, k = self.modulation(nn.functional.silu(c))[:, None].chunk(6, dim=-1)
        u = self.norms[0](h) * (1 + a) + b
        h = h + g * self.attention(u, u, u, need_weights=False)[0]
        return h + k * self.mlp(self.norms[1](h) * (1 + e) + f)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        d, p, self.C, self.K = 48, 2, config.image_channels, config.num_classes
        side = config.image_size // p
        self.patches = nn.Conv2d(self.C, d, p, stride=p)
        self.places = nn.Parameter(0.02 * torch.randn(1, side * side, d))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        self.label = nn.Embedding(self.K + 1, d) if self.K else None
        self.layers = nn.ModuleList(Layer(d) for _ in range(2))
        self.norm, self.out = nn.LayerNorm(d), nn.ConvTranspose2d(d, self.C, p, stride=p)

    def forward(self, x, t, y=None):
        c = self.time(t)
        if self.label is not None:
            c = c + self.label(torch.full_like(t, self.K) if y is None else y)
        h = self.patches(x)
        B, d, H, W = h.shape
        h = h.flatten(2).transpose(1, 2) + self.places
        for layer in self.layers:
            h = layer(h, c)
        return self.out(self.norm(h).transpose(1, 2).reshape(B, d, H, W))
