"""FiLM: t is added, and the label scales and shifts the features of each block."""

from torch import nn

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class Film(nn.Module):
    def __init__(self, c, rows):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(c, c, 3, padding=1), nn.GroupNorm(4, c, affine=rows == 0)
        self.table = nn.Embedding(rows, 2 * c) if rows else None

    def forward(self, h, y):
        g = self.norm(h)
        if self.table is not None:
            scale, shift = self.table(y)[:, :, None, None].chunk(2, dim=1)
            g = g * (1 + scale) + shift
        return h + self.conv(nn.functional.silu(g))


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, self.K = 24, config.num_classes
        rows = 0 if self.K is None else self.K + 1
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(48), nn.Linear(48, c), nn.SiLU(), nn.Linear(c, c))
        self.stem = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.films = nn.ModuleList([Film(c, rows) for _ in range(3)])
        self.head = nn.Conv2d(c, config.image_channels, 3, padding=1)

    def forward(self, x, t, y=None):
        if y is None and self.K is not None:
            y = t.new_full(t.shape, self.K)
        h = self.stem(x) + self.time(t)[:, :, None, None]
        for film in self.films:
            h = film(h, y)
        return self.head(h)
