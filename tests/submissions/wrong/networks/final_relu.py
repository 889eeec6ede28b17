"""Every convolution of the list is followed by a ReLU, the last one too.

Caught by: level1.training.not_squashed
"""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        sizes = [config.image_channels, 32, 32, 32, config.image_channels]
        self.convs = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], kernel_size=3, padding=1) for i in range(len(sizes) - 1)
        )
        self.embed = SinusoidalTimestepEmbedding(32)
        self.times = nn.ModuleList(nn.Linear(32, size) for size in sizes[1:])

    def forward(self, x, t):
        emb = self.embed(t)
        for conv, time in zip(self.convs, self.times, strict=True):
            x = torch.relu(conv(x) + time(emb)[:, :, None, None])
        return x
