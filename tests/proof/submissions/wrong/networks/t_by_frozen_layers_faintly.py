"""An MLP embeds t, but it is frozen, and what it says is scaled down to a three-hundredth.

Caught by: level1.training.needs_t
Hint: is it scaled down to next to nothing
"""

from torch import nn
from torch.nn import functional as F

from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class DiffusionModel(nn.Module):
    def __init__(self, config, width=32):
        super().__init__()
        self.embed = nn.Sequential(SinusoidalTimestepEmbedding(width), nn.Linear(width, width), nn.SiLU())
        self.embed.requires_grad_(False)
        self.down = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in (1, 2, 1))
        self.out = nn.Conv2d(width + config.image_channels, config.image_channels, 3, padding=1)

    def forward(self, x, t):
        emb = 0.003 * self.embed(t)[:, :, None, None]
        h = self.down(x)
        for layer in self.inner:
            h = h + layer(F.gelu(h + emb))
        return self.out(F.pad(h, (0, 0, 0, 0, 0, x.shape[1])) + F.pad(x, (0, 0, 0, 0, h.shape[1], 0)))
