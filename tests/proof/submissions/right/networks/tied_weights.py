"""One block applied four times (weight tying), and an output that is the transpose of the input layer, also tied."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class SharedBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(6, width)
        self.modulation = nn.Linear(width, width)

    def forward(self, h, emb):
        r = self.norm(self.conv1(h)) * (1 + self.modulation(emb)[:, :, None, None])
        return h + self.conv2(F.silu(r))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.repeats, width = 4, 48
        self.time = SinusoidalTimestepEmbedding(width)
        self.time_mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.iteration = nn.Embedding(self.repeats, width)  # which repetition this is
        self.weight = nn.Parameter(torch.randn(width, config.image_channels, 3, 3) * 0.3)
        self.gain = nn.Parameter(torch.tensor(0.1))
        block = SharedBlock(width)
        self.blocks = nn.ModuleList([block] * self.repeats)

    def forward(self, x, t):
        emb = self.time_mlp(self.time(t))
        h = F.conv2d(x, self.weight, padding=1)
        for i, block in enumerate(self.blocks):
            h = block(h, emb + self.iteration.weight[i])
        return self.gain * F.conv_transpose2d(h, self.weight, padding=1)
