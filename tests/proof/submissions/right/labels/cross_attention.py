"""Pixels attend to a few tokens of the label, as in latent diffusion."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

TOKENS = 3


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, self.K = 32, config.num_classes
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU(), nn.Linear(c, c))
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        if self.K is not None:
            self.tokens = nn.Embedding(self.K + 1, TOKENS * c)
            self.attend = nn.MultiheadAttention(c, 4, batch_first=True)
        self.body = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1), nn.SiLU())
        self.head = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t, y=None):
        h = self.stem(x) + self.time(t).unsqueeze(-1).unsqueeze(-1)
        if self.K is not None:
            y = torch.full_like(t, self.K) if y is None else y
            tokens = self.tokens(y).view(len(y), TOKENS, -1)
            pixels = h.flatten(2).transpose(1, 2)
            h = h + self.attend(pixels, tokens, tokens)[0].transpose(1, 2).reshape(h.shape)
        return self.head(h + self.body(h))
