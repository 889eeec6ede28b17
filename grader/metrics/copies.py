"""Which samples show a training image again, perhaps mirrored, moved, turned, resized, or in another light?

A copy lies much nearer to one training image than to the next ones, whereas a new image has many about as near. That
needs no threshold in pixels, and so is fair to blurred and to pale images (Yoon et al. 2023 compare with the second
nearest; here it is the tenth, as some data sets hold an image several times).
"""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

NEXT = 10  # the neighbour that the nearest one is compared with
RATIO = 0.6  # of their distances: below it there is a copy
CANDIDATES = 100  # training images that a sample is laid over in every way
SIZES, TURNS = (0.88, 0.94, 1.0, 1.07, 1.15), (-8, -4, 0, 4, 8)  # degrees
NUMBERS = 100  # of an image, about, that suffice to tell it from others


def copied(images: Tensor, train: Tensor) -> Tensor:
    """Which of uint8 images (N, C, H, W) are copies of one in `train` (M, C, H, W): (N,) bool."""
    side = train.shape[-1]
    most = max(1, side // 7)  # pixels by which a copy may be moved
    inner = train[..., most : side - most, most : side - most]
    ways = torch.stack([_laid(way, size, turn) for way in (images, images.flip(-1))
                        for size, turn in product(SIZES, TURNS)])  # (V, N, C, H, W)  # fmt: skip
    found = []
    for index, nearest in enumerate(_candidates(images, inner, most)):
        windows = _windows(ways[:, index], side - 2 * most).flatten(0, 1)
        likeness = (_looks(windows) @ _looks(inner[nearest] / 255).T).amax(0)  # (CANDIDATES,)
        distances = (2 - 2 * likeness.topk(NEXT).values).clamp_min(0).sqrt()
        found.append(~(distances[0] >= RATIO * distances[-1]))
    return torch.stack(found)


def _candidates(images: Tensor, inner: Tensor, most: int, batch_size: int = 32) -> Tensor:
    """The training images that look most like each of (N, C, H, W), moved and mirrored: (N, CANDIDATES)."""
    library = torch.cat([_looks(part / 255) for part in inner.split(4096)]).T.contiguous()  # (D, M)
    found = []
    for part in (images / 255).split(batch_size):
        likeness = torch.full((len(part), library.shape[1]), -1.0)
        for way in (part, part.flip(-1)):
            for window in _windows(way, images.shape[-1] - 2 * most).unbind(1):
                torch.maximum(likeness, _looks(window) @ library, out=likeness)
        found.append(likeness.topk(CANDIDATES).indices)
    return torch.cat(found)


def _laid(images: Tensor, size: float, turn: float) -> Tensor:
    """Resized and turned about the middle: uint8 (N, C, H, W) → float."""
    c, s = math.cos(math.radians(turn)) / size, math.sin(math.radians(turn)) / size
    theta = torch.tensor([[c, -s, 0], [s, c, 0]]).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images / 255, grid, padding_mode="border", align_corners=False)


def _windows(images: Tensor, size: int) -> Tensor:
    """Every window of size × size: (N, C, H, W) → (N, K, C, size, size)."""
    return images.unfold(2, size, 1).unfold(3, size, 1).flatten(2, 3).transpose(1, 2)


def _looks(pixels: Tensor) -> Tensor:
    """(N, C, h, w) → coarse pixels (N, D) of unit length, without each channel's mean: blind to light."""
    coarse = next(size for size in (4, 2, 1) if size == 1 or pixels[0].numel() >= NUMBERS * size**2)
    pixels = F.avg_pool2d(pixels, coarse).flatten(2)
    pixels = (pixels - pixels.mean(2, keepdim=True)).flatten(1)
    return pixels / pixels.norm(dim=1, keepdim=True).clamp_min(1e-3)
