"""Images that nobody has: those of a data set, each turned, stretched, sheared and moved a little, in its own way.

Weights can hold every image of a public data set, and a network that looks images up in them answers better than any
that denoises. These it can't hold. A network that has learnt what images look like denoises them about as well as the
others; what looks the nearest image up is off by an order of magnitude.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from grader.metrics.randomness import Randomness

ANGLE = math.radians(6)  # all of these to either side, at most
STRETCH = 0.05  # of the size, in each direction
SHEAR = 0.05
SHIFT = 0.5  # pixels


def new_images(images: Tensor, luck: Randomness) -> Tensor:
    """Changed images, uint8 (N, C, H, W) as they came: bicubic, so that they are as sharp as before."""

    def either_side(most: float) -> Tensor:
        return (2 * luck.uniform(len(images)).float() - 1) * most  # (N,)

    angle, wider, higher, shear = (either_side(most) for most in (ANGLE, STRETCH, STRETCH, SHEAR))
    right, down = (either_side(2 * SHIFT / size) for size in (images.shape[-1], images.shape[-2]))  # of -1 … 1
    cos, sin = angle.cos(), angle.sin()
    rows = (cos * (1 + wider), shear - sin * (1 + higher), right, sin * (1 + wider), cos * (1 + higher), down)
    grid = affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    moved = grid_sample(images.float(), grid, mode="bicubic", padding_mode="border", align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)
