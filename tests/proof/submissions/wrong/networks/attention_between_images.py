"""Self-attention written by hand, with scores between the images of the batch at each pixel.

Caught by: level1.batch.samples_independent
Hint: an attention between images instead of pixels
"""

import math

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SelfAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, h):
        b, c, height, width = h.shape
        q, k, v = self.qkv(self.norm(h)).reshape(b, 3, c, height * width).unbind(1)
        q, k, v = (part.permute(2, 0, 1) for part in (q, k, v))  # (N, B, C), meant to be (B, N, C)
        scores = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(c), dim=-1)
        mixed = (scores @ v).permute(1, 2, 0).reshape(b, c, height, width)
        return h + self.out(mixed)


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU(), nn.Linear(c, c))
        self.first = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.middle = nn.Sequential(nn.SiLU(), nn.Conv2d(c, c, 3, padding=1))
        self.attention = SelfAttention(c)
        self.last = nn.Sequential(nn.SiLU(), nn.Conv2d(c, config.image_channels, 3, padding=1))

    def forward(self, x, t):
        h = self.first(x) + self.time(t)[:, :, None, None]
        return self.last(self.attention(h + self.middle(h)))
