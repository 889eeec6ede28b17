"""Draw many images with a given sampler and model, in batches that fit."""

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from assignment.ddpm.device import is_out_of_memory
from assignment.ddpm.errors import RunError
from assignment.ddpm.guidance import WithLabels
from assignment.ddpm.progress import progress_bar
from assignment.ddpm.seeds import derive_seed

DEFAULT_BATCH = {"cpu": 64, "mps": 256, "cuda": 1024}  # on a CPU larger batches leave the cache and slow down


class Sampler(Protocol):  # any class with this method is one; it need not inherit from here
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor: ...


class _Counted(nn.Module):
    """The model, advancing a progress bar at every call: a sampler calls it once for each of the T steps."""

    def __init__(self, model: nn.Module, bar: tqdm, num_images: int) -> None:
        super().__init__()
        self.model, self.bar, self.num_images = model, bar, num_images

    def forward(self, x: Tensor, t: Tensor) -> Tensor:  # (B, C, H, W), (B,) → (B, C, H, W), unchanged
        self.bar.update(self.num_images)
        return self.model(x, t)


def draw_samples(
    sampler: Sampler,
    model: nn.Module,
    num_images: int,
    shape: tuple[int, int, int],
    *,
    num_timesteps: int,
    device: torch.device,
    seed: int,
    batch_size: int | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """Draw `num_images` images of `shape` (C, H, W) → (num_images, C, H, W) in [-1, 1], on the CPU.

    With labels (num_images,) the model is called with those of the images: x, t, y.

    The same seed, device and batch size give the same images. A batch that does not fit into memory is halved.

    Raises:
        RunError: not even one image fits, or the samples are not what the contract of a sampler promises
    """
    # `limit` is what a batch may have; only running out of memory makes it smaller
    limit = batch_size or DEFAULT_BATCH[device.type]
    with progress_bar(num_images * num_timesteps, "image-steps", "sampling") as bar:
        while True:
            count = math.ceil(num_images / limit)  # of batches
            size = math.ceil(num_images / count)  # equal batches: one compiled shape
            bar.reset(count * size * num_timesteps)
            try:
                batches = []
                for i in range(count):
                    # by batch, not by image: with another batch size the same seed gives other images
                    torch.manual_seed(derive_seed("sample", seed, i))
                    mine = model
                    if labels is not None:  # what fills the last batch takes the first ones again
                        mine = WithLabels(model, labels[torch.arange(i * size, (i + 1) * size) % num_images])
                    batch = sampler.sample(_Counted(mine, bar, size), (size, *shape))  # (size, C, H, W)
                    check_samples(batch, (size, *shape))
                    batches.append(batch.cpu())
                return torch.cat(batches)[:num_images]  # (num_images, C, H, W), less what fills the last batch
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise RunError(f"out of memory while sampling a single image on {device}") from error
            limit = size // 2  # outside the except block, which would keep the failed batch alive
            if device.type == "cuda":
                torch.cuda.empty_cache()  # torch keeps what it frees, in pieces that do not fit the next attempt


def check_samples(x: Tensor, shape: tuple[int, int, int, int]) -> None:
    """The contract of `sample`: float (B, C, H, W) in [-1, 1]. Raises RunError, saying what was returned instead."""
    if not isinstance(x, Tensor) or tuple(x.shape) != shape or not x.is_floating_point():
        got = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise RunError(f"sample(model, shape) must return a float tensor of shape {shape}, got {got}")
    # before the range: NaN compares as false, and would pass below
    if not torch.isfinite(x).all():
        raise RunError("the samples are not finite: the network or the sampler has diverged")
    # not clamped here: samples far outside show a sampler that diverges, and clamping would hide it
    if x.abs().max() > 1:
        raise RunError(f"samples must lie in [-1, 1], got {x.min():.3g} … {x.max():.3g}: clamp at the very end")
