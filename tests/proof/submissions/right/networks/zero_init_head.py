"""The last convolution starts at zero, and so does every residual branch (ADM's zero_module); mixed kernel sizes."""

from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


def zero_module(module):
    for p in module.parameters():
        nn.init.zeros_(p)
    return module


class Branch(nn.Module):
    def __init__(self, c, kernel, d):
        super().__init__()
        self.pre = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, c, kernel, padding=kernel // 2))
        self.emb = nn.Linear(d, c)
        self.post = nn.Sequential(nn.SiLU(), zero_module(nn.Conv2d(c, c, kernel, padding=kernel // 2)))

    def forward(self, inputs):
        h, emb = inputs
        return h + self.post(self.pre(h) + self.emb(emb).view(*emb.shape[:1], -1, 1, 1)), emb


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, d = 40, 80
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d), nn.SiLU())
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.trunk = nn.Sequential(Branch(c, 3, d), Branch(c, 5, d), Branch(c, 3, d))
        self.head = zero_module(nn.Conv2d(c, config.image_channels, 3, padding=1))

    def forward(self, x, t):
        h, _ = self.trunk((self.stem(x), self.emb(t)))
        return self.head(h)
