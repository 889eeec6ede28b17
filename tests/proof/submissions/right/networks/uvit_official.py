"""U-ViT (Bao et al. 2022, "All are Worth Words"): everything is a token, the time too, with long skip connections.

CIFAR-10 in the paper: patch 2, 13 layers, 512 wide, 8 heads. Here 9 layers of 192, so that a CPU can train it.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def timestep_embedding(t, dim, max_period=10000):
    half = dim // 2
    freqs = torch.exp(-math.log(max_period) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    args = t[:, None].float() * freqs[None]
    return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)


class Attention(nn.Module):
    def __init__(self, dim, num_heads=6):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, dim * 3, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, L, C = x.shape
        q, k, v = self.qkv(x).reshape(B, L, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(B, L, C))


class Block(nn.Module):
    def __init__(self, dim, num_heads, mlp_ratio=4, skip=False):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * mlp_ratio), nn.GELU(), nn.Linear(dim * mlp_ratio, dim))
        self.skip_linear = nn.Linear(2 * dim, dim) if skip else None

    def forward(self, x, skip=None):
        if self.skip_linear is not None:
            x = self.skip_linear(torch.cat([x, skip], dim=-1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class DiffusionModel(nn.Module):
    def __init__(self, config, embed_dim=192, depth=9, num_heads=6, patch=2):
        super().__init__()
        self.channels = config.image_channels
        self.embed_dim = embed_dim

        self.patch = patch
        self.grid = config.image_size // patch

        self.patch_embed = nn.Conv2d(self.channels, embed_dim, patch, stride=patch)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, embed_dim))

        self.in_blocks = nn.ModuleList([Block(embed_dim, num_heads) for _ in range(depth // 2)])
        self.mid_block = Block(embed_dim, num_heads)
        self.out_blocks = nn.ModuleList([Block(embed_dim, num_heads, skip=True) for _ in range(depth // 2)])

        self.norm = nn.LayerNorm(embed_dim)
        self.decoder_pred = nn.Linear(embed_dim, patch**2 * self.channels)
        self.final_layer = nn.Conv2d(self.channels, self.channels, 3, padding=1)

        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(self._init_weights)

    def _init_weights(self, m):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)

    def unpatchify(self, x):
        B, p, g, c = x.shape[0], self.patch, self.grid, self.channels
        x = x.reshape(B, g, g, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(B, c, g * p, g * p)

    def forward(self, x, t):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        time_token = timestep_embedding(t, self.embed_dim).unsqueeze(1)
        x = torch.cat([time_token, x], dim=1) + self.pos_embed

        skips = []
        for block in self.in_blocks:
            x = block(x)
            skips.append(x)
        x = self.mid_block(x)
        for block in self.out_blocks:
            x = block(x, skips.pop())

        x = self.decoder_pred(self.norm(x))
        return self.final_layer(self.unpatchify(x[:, 1:]))
