"""A transformer that sees t and the label as two more tokens (U-ViT)."""

import torch
from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        d, p, self.K = 48, 2, config.num_classes
        self.patches = nn.Conv2d(config.image_channels, d, p, stride=p)
        side = config.image_size // p
        self.places = nn.Parameter(0.05 * torch.randn(side * side, d))
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d))
        if self.K is not None:
            self.classes = nn.Embedding(self.K + 1, d)
        layer = lambda: nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.0, batch_first=True, norm_first=True)  # noqa: E731
        self.layers = nn.ModuleList(layer() for _ in range(2))
        self.out = nn.ConvTranspose2d(d, config.image_channels, p, stride=p)

    def forward(self, x, t, y=None):
        h = self.patches(x)
        shape = h.shape
        tokens = [self.time(t)[:, None]]
        if self.K is not None:
            if y is None:
                y = torch.full_like(t, self.K)
            tokens.append(self.classes(y)[:, None])
        h = torch.cat([*tokens, h.flatten(2).mT + self.places], dim=1)
        for layer in self.layers:
            h = layer(h)
        return self.out(h[:, len(tokens) :].mT.reshape(shape))
