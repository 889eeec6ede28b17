"""nn.MultiheadAttention without batch_first gets (B, N, D): it attends over the images of the batch.

Caught by: level1.batch.samples_independent
Hint: an attention between images instead of pixels
Waits: level1.timestep.uses_every_t for batch.samples_independent
"""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class AttentionBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.attention = nn.MultiheadAttention(channels, num_heads=4)

    def forward(self, h: Tensor) -> Tensor:
        tokens = self.norm(h).flatten(2).transpose(1, 2)  # (B, N, D)
        out, _ = self.attention(tokens, tokens, tokens)
        return h + out.transpose(1, 2).reshape(h.shape)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = 32
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(c), nn.Linear(c, c), nn.SiLU())
        self.conv_in = nn.Conv2d(config.image_channels, c, 3, padding=1)
        self.down = nn.Conv2d(c, c, 3, stride=2, padding=1)
        self.attention = AttentionBlock(c)
        self.up = nn.ConvTranspose2d(c, c, 4, stride=2, padding=1)
        self.conv_out = nn.Conv2d(2 * c, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.conv_in(x) + self.time(t)[:, :, None, None]
        low = self.attention(nn.functional.silu(self.down(h)))
        return self.conv_out(torch.cat([nn.functional.silu(self.up(low)), h], dim=1))
