"""A U-Net with dropout (off in eval mode), transposed convolutions, and crops where sizes are odd."""

import torch
import torch.nn as nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DoubleConv(nn.Module):
    def __init__(self, c_in, c_out, t_dim, p):
        super().__init__()
        self.a = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.b = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.time = nn.Linear(t_dim, c_out)
        self.dropout = nn.Dropout2d(p)
        self.act = nn.Mish()

    def forward(self, x, emb):
        h = self.act(self.a(x) + self.time(emb)[:, :, None, None])
        return self.act(self.b(self.dropout(h)))


class DiffusionModel(nn.Module):
    def __init__(self, config, base=24, p=0.05):
        super().__init__()
        t_dim = 64
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(t_dim), nn.Linear(t_dim, t_dim), nn.Mish())
        self.enc1 = DoubleConv(config.image_channels, base, t_dim, p)
        self.enc2 = DoubleConv(base, 2 * base, t_dim, p)
        self.mid = DoubleConv(2 * base, 2 * base, t_dim, p)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.up2 = nn.ConvTranspose2d(2 * base, 2 * base, 2, stride=2)
        self.dec2 = DoubleConv(4 * base, base, t_dim, p)
        self.up1 = nn.ConvTranspose2d(base, base, 2, stride=2)
        self.dec1 = DoubleConv(2 * base, base, t_dim, p)
        self.out = nn.Conv2d(base + config.image_channels, config.image_channels, 1)

    @staticmethod
    def join(up, skip):
        return torch.cat([up[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1)

    def forward(self, x, t):
        emb = self.time(t)
        s1 = self.enc1(x, emb)
        s2 = self.enc2(self.pool(s1), emb)
        h = self.mid(self.pool(s2), emb)
        h = self.dec2(self.join(self.up2(h), s2), emb)
        h = self.dec1(self.join(self.up1(h), s1), emb)
        return self.out(torch.cat([h, x], dim=1))
