"""A small ViT whose table of positions has 16 entries: right for 8×8 pixels in patches of two, and for nothing else.

Caught by: level1.contract.other_shapes
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = 64
        self.embed = nn.Conv2d(config.image_channels, dim, 2, stride=2)
        self.position = nn.Parameter(torch.zeros(1, 16, dim).normal_(std=0.1))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(dim), nn.Linear(dim, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 128, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.out = nn.ConvTranspose2d(dim, config.image_channels, 2, stride=2)
        self.gain = nn.Linear(dim, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.embed(x)
        emb = self.time(t)
        tokens = h.flatten(2).transpose(1, 2) + self.position + emb[:, None]
        h = self.encoder(tokens).transpose(1, 2).reshape(h.shape)
        return self.out(h) + self.gain(emb)[:, :, None, None] * x
