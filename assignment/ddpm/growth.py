"""Samples while they get better: growth.png, a row for each epoch that is looked at, all from the same noise."""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.figures import save_grid, save_rows
from assignment.ddpm.guidance import Guidance, WithLabels
from assignment.ddpm.respacing import Respaced, WithItsOwnT
from assignment.ddpm.runner import Runner, threads
from assignment.ddpm.sampling import Sampler, check_samples

GROWTH = "growth.png"
IMAGES, MOST_CLASSES = 8, 10  # in a row; and where there are classes
STEPS = 100  # of the sampler, at most: a tenth of the usual, which shows as much
SPACING = 1.5  # from one row to the next, by default: after epochs 1, 2, 3, 5, 8, 12, …
SHARE = 0.1  # of the training's time that drawing may have taken before another row is drawn by default


class Growth:
    """Draws a row after an epoch if one is due. A row that can't be drawn is left out: training goes on."""

    def __init__(
        self,
        make_sampler: Callable[[GaussianDiffusion, torch.device], Sampler],
        diffusion: GaussianDiffusion,
        shape: tuple[int, int, int],
        run_dir: Path,
        *,
        every: int | None,
        seed: int,
        guidance: Guidance | None = None,
    ) -> None:
        """`every` so many epochs; None: as SPACING and SHARE say; 0: never. `shape` is (C, H, W).

        With guidance, an image of each class, of the first MOST_CLASSES.
        """
        self.diffusion = Respaced(diffusion, STEPS)
        self.make_sampler, self.shape, self.run_dir, self.every, self.seed = make_sampler, shape, run_dir, every, seed
        self.guidance = guidance
        self.seconds = 0.0  # of drawing

    @property
    def rows(self) -> dict[int, Path]:
        """Epoch → the picture of its row, as they lie in the run's folder; also those before it was interrupted."""
        files = {file: re.fullmatch(r"samples-epoch-(\d+)\.png", file.name) for file in self.run_dir.glob("samples-*")}
        return dict(sorted((int(found[1]), file) for file, found in files.items() if found))

    def is_due(self, epoch: int, trained_seconds: float, *, last: bool) -> bool:
        if self.every is not None:
            return self.every > 0 and (epoch % self.every == 0 or last)
        before = max((row for row in self.rows if row < epoch), default=0)
        return self.seconds <= SHARE * trained_seconds and (last or epoch >= math.ceil(SPACING * before))

    def after_epoch(self, epoch: int, averaged: Runner, trained_seconds: float, *, last: bool) -> str:
        """Draw a row if it is due. Returns why there is none although it was; empty otherwise."""
        if not self.is_due(epoch, trained_seconds, last=last):
            return ""
        started, runner = time.monotonic(), averaged.for_sampling()
        try:
            with threads(runner.setting.threads):
                save_grid(
                    self.draw(runner),
                    self.run_dir / f"samples-epoch-{epoch:04d}.png",
                    columns=MOST_CLASSES if self.guidance else IMAGES,
                )
            self.compose()
        except Exception as error:  # whatever it is: an early network may well overflow, and training goes on
            return f"no samples after epoch {epoch}: {' '.join(str(error).split())[:200]}"
        finally:
            self.seconds += time.monotonic() - started
        return ""

    def draw(self, network: nn.Module) -> Tensor:
        """A row of images, (N, C, H, W) in [-1, 1], by the sampler, on fewer steps; from the same noise each time."""
        torch.manual_seed(self.seed)  # training draws nothing from where this leaves it: each step seeds itself
        images = IMAGES
        if self.guidance:
            images = min(self.guidance.num_classes, MOST_CLASSES)
            network = WithLabels(self.guidance.of(network), torch.arange(images))
        shape = (images, *self.shape)
        sampler = self.make_sampler(self.diffusion, self.diffusion.device)
        samples = sampler.sample(WithItsOwnT(network, self.diffusion.timesteps), shape)
        check_samples(samples, shape)
        return samples

    def compose(self) -> None:
        """All rows below each other."""
        pictures = {}
        for epoch, file in self.rows.items():
            with Image.open(file) as picture:
                pictures[epoch] = picture.convert("RGB")
        size = pictures[max(pictures)].size  # a grid of an earlier version has another one
        rows = {f"epoch {epoch}": picture for epoch, picture in pictures.items() if picture.size == size}
        save_rows(rows, self.run_dir / GROWTH)
