"""ConvNeXt blocks (Liu et al. 2022): depthwise 7×7, LayerNorm over channels, inverted bottleneck, layer scale."""

import torch
from torch import Tensor, nn

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding


class ConvNeXtBlock(nn.Module):
    def __init__(self, dim: int, emb_dim: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)
        self.condition = nn.Linear(emb_dim, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.depthwise(x) + self.condition(emb)[:, :, None, None]
        h = self.norm(h.permute(0, 2, 3, 1))  # (B, H, W, C)
        h = self.down(nn.functional.gelu(self.up(h))) * self.gamma
        return x + h.permute(0, 3, 1, 2)


class DiffusionModel(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dims = (48, 64)
        self.emb = nn.Sequential(SinusoidalTimestepEmbedding(64), nn.Linear(64, 128), nn.GELU())
        self.patchify = nn.Conv2d(config.image_channels, dims[0], 3, padding=1)
        self.stage1 = nn.ModuleList([ConvNeXtBlock(dims[0], 128) for _ in range(2)])
        self.downsample = nn.Conv2d(dims[0], dims[1], 2, stride=2)
        self.stage2 = nn.ModuleList([ConvNeXtBlock(dims[1], 128) for _ in range(2)])
        self.upsample = nn.ConvTranspose2d(dims[1], dims[0], 2, stride=2)
        self.stage3 = nn.ModuleList([ConvNeXtBlock(dims[0], 128)])
        self.head = nn.Conv2d(dims[0], config.image_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        emb = self.emb(t)
        x = self.patchify(x)
        for block in self.stage1:
            x = block(x, emb)
        low = self.downsample(x)
        for block in self.stage2:
            low = block(low, emb)
        x = x + self.upsample(low)
        for block in self.stage3:
            x = block(x, emb)
        return self.head(x)
