"""An MLP-Mixer over patches: one MLP mixes the patches, one the channels, and the timestep shifts both."""

import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def mlp(d_in, d_hidden):
    return nn.Sequential(nn.Linear(d_in, d_hidden), nn.GELU(), nn.Linear(d_hidden, d_in))


class MixerLayer(nn.Module):
    def __init__(self, num_patches, dim, emb):
        super().__init__()
        self.token_norm = nn.LayerNorm(dim)
        self.token_mlp = mlp(num_patches, 64)
        self.channel_norm = nn.LayerNorm(dim)
        self.channel_mlp = mlp(dim, 2 * dim)
        self.shift = nn.Linear(emb, 2 * dim)

    def forward(self, h, emb):
        a, b = self.shift(emb).unsqueeze(1).chunk(2, dim=-1)
        h = h + self.token_mlp((self.token_norm(h) + a).transpose(1, 2)).transpose(1, 2)
        return h + self.channel_mlp(self.channel_norm(h) + b)


class DiffusionModel(nn.Module):
    PATCH = 4

    def __init__(self, config):
        super().__init__()
        p, dim, emb = self.PATCH, 96, 96
        pixels = p * p * config.image_channels
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(emb), nn.Linear(emb, emb), nn.GELU())
        self.to_dim = nn.Linear(pixels, dim)
        self.layers = nn.ModuleList([MixerLayer((config.image_size // p) ** 2, dim, emb) for _ in range(3)])
        self.to_pixels = nn.Linear(dim, pixels)

    def forward(self, x, t):
        size = x.shape[-2:]
        h = F.unfold(x, self.PATCH, stride=self.PATCH).transpose(1, 2)  # (B, patches, pixels)
        h, emb = self.to_dim(h), self.time(t)
        for layer in self.layers:
            h = layer(h, emb)
        return F.fold(self.to_pixels(h).transpose(1, 2), size, self.PATCH, stride=self.PATCH)
