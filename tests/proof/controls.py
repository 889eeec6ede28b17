"""Controls for the limits on samples: sets made from real images, and whether their content is recognizable.

"yes" is what nobody minds, "no" what everybody notices, "partly" what is in between; one person's judgement, not blind.
A set of copies, of half the classes or of one image in four is recognizable, but not a network's own work: "no".
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.data import load_part, split
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.metrics.damage import Change, blurred, jpeg, mirrored, noisy, plain, shuffled


@dataclass(frozen=True)
class Stock:
    """The images that controls are made from."""

    train: Tensor  # (M, C, H, W) uint8
    held_out: Tensor
    labels: Tensor  # of the held-out ones

    @classmethod
    def of(cls, data: str, root: Path) -> "Stock":
        (images, labels), (test, test_labels) = (load_part(data, root, train=train) for train in (True, False))
        learnt, unseen = split(len(images))
        return cls(images[learnt], torch.cat([images[unseen], test]), torch.cat([labels[unseen], test_labels]))

    def some(self, count: int, generator: torch.Generator, classes: tuple[int, ...] = tuple(range(10))) -> Tensor:
        """This many held-out images, repeated if there are too few."""
        among = torch.isin(self.labels, torch.tensor(classes)).nonzero().flatten()
        return self.held_out[
            among[torch.randperm(len(among), generator=generator)].repeat(-(-count // len(among)))[:count]
        ]


Make = Callable[[Stock, int, torch.Generator], Tensor]


def held_out(change: Change) -> Make:
    return lambda stock, count, generator: change(stock.some(count, generator), generator)


def copied(change: Change) -> Make:
    """Made from training images."""

    def make(stock: Stock, count: int, generator: torch.Generator) -> Tensor:
        return change(stock.train[torch.randperm(len(stock.train), generator=generator)[:count]], generator)

    return make


def share(part: float, first: Make) -> Make:
    """A share of one kind, the rest real."""

    def make(stock: Stock, count: int, generator: torch.Generator) -> Tensor:
        few = round(part * count)
        return torch.cat([first(stock, few, generator), stock.some(count - few, generator)])

    return make


def classes(*wanted: int) -> Make:
    return lambda stock, count, generator: stock.some(count, generator, wanted)


# ---- changes of pixels


def as_it_is(images: Tensor, generator: torch.Generator) -> Tensor:
    return images


def linear(slope: float, around: float = 0.5, lift: float = 0.0) -> Change:
    return lambda images, _: _bytes(around + slope * (images / 255 - around) + lift)


def gamma(power: float) -> Change:
    return lambda images, _: _bytes((images / 255) ** power)


def inverted(images: Tensor, generator: torch.Generator) -> Tensor:
    return 255 - images


def upside_down(images: Tensor, generator: torch.Generator) -> Tensor:
    return images.flip(-2)


def moved(right: int, down: int) -> Change:
    """With black edges, as after padding."""
    side = max(abs(right), abs(down))

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        size = images.shape[-1]
        return F.pad(images, [side] * 4)[..., side - down : side - down + size, side - right : side - right + size]

    return change


def zoomed(scale: float) -> Change:
    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        theta = torch.tensor([[1 / scale, 0, 0], [0, 1 / scale, 0]]).expand(len(images), 2, 3)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return _bytes(F.grid_sample(images / 255, grid, align_corners=False))

    return change


def mixed(weight: float) -> Change:
    return lambda images, _: _bytes(weight * images / 255 + (1 - weight) * images.roll(1, 0) / 255)


def halves(images: Tensor, generator: torch.Generator) -> Tensor:
    """The left half of one, the right half of another."""
    half = images.shape[-1] // 2
    return torch.cat([images[..., :half], images.roll(1, 0)[..., half:]], dim=-1)


def half_noised(images: Tensor, generator: torch.Generator) -> Tensor:
    """x_t at t = T/5: half of the standard deviation is noise."""
    t = torch.full((len(images),), 200)
    x_t = GaussianDiffusion(1000).q_sample(images / 127.5 - 1, t, torch.randn(images.shape, generator=generator))
    return _bytes((x_t + 1) / 2)


def uniform(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 256, images.shape, generator=generator, dtype=torch.uint8)


def gaussian(images: Tensor, generator: torch.Generator) -> Tensor:
    return _bytes(0.5 + 0.25 * torch.randn(images.shape, generator=generator))


def _bytes(pixels: Tensor) -> Tensor:
    return (255 * pixels).round().clamp(0, 255).to(torch.uint8)


def then(*changes: Change) -> Change:
    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        for one in changes:
            images = one(images, generator)
        return images

    return change


def repeated(distinct: int) -> Make:
    return lambda stock, count, generator: stock.some(distinct, generator)[torch.arange(count) % distinct]


# name → (how recognizable, how it is made); if data sets differ, first for grey clothes, then for photographs
CONTROLS: dict[str, tuple[str | tuple[str, str], Make]] = {
    "real": ("yes", held_out(as_it_is)),
    "mirrored": ("yes", held_out(mirrored)),
    "moved by a pixel": ("yes", held_out(moved(1, 0))),
    "noise .02": ("yes", held_out(noisy(0.02, 0.02))),
    "blur .5": ("yes", held_out(blurred(0.5))),
    "JPEG 50": ("yes", held_out(jpeg(50))),
    "half the contrast": ("yes", held_out(linear(0.5, around=0))),
    "lighter (gamma .7)": ("yes", held_out(gamma(0.7))),
    "darker (gamma 1.5)": ("yes", held_out(gamma(1.5))),
    "less contrast, around grey": ("yes", held_out(linear(0.7))),
    "noise .05": ("partly", held_out(noisy(0.05, 0.05))),
    "noise .1": ("partly", held_out(noisy(0.1, 0.1))),
    "blur 1": ("partly", held_out(blurred(1))),
    "JPEG 15": ("partly", held_out(jpeg(15))),
    "4 parts of one, 1 of another": ("partly", held_out(mixed(0.8))),
    "7 parts of one, 3 of another": ("partly", held_out(mixed(0.7))),
    "a tenth uniform noise": ("partly", share(0.1, held_out(uniform))),
    "upside down": ("partly", held_out(upside_down)),
    "inverted": ("partly", held_out(inverted)),
    "a third of one class": ("partly", share(0.33, classes(3))),
    "uniform noise": ("no", held_out(uniform)),
    "Gaussian noise": ("no", held_out(gaussian)),
    "noise .3": ("no", held_out(noisy(0.3, 0.3))),
    "half noised (t = 200)": ("no", held_out(half_noised)),
    "half of them with noise .3": ("no", share(0.5, held_out(noisy(0.3, 0.3)))),
    "a quarter uniform noise": ("no", share(0.25, held_out(uniform))),
    "a quarter Gaussian noise": ("no", share(0.25, held_out(gaussian))),
    "a quarter of one grey each": ("no", share(0.25, held_out(plain))),
    "two images mixed": ("no", held_out(mixed(0.5))),
    "6 parts of one, 4 of another": ("no", held_out(mixed(0.6))),
    "left half of one, right of another": ("no", held_out(halves)),
    "shuffled quarters": ("no", held_out(shuffled(2))),
    "shuffled sixteenths": ("no", held_out(shuffled(4))),
    "blur 2": ("no", held_out(blurred(2))),
    "one grey each": ("no", held_out(plain)),
    "JPEG 10": (("partly", "no"), held_out(jpeg(10))),
    "JPEG 4": ("no", held_out(jpeg(4))),
    "one class": ("no", classes(3)),
    "half of one class": ("no", share(0.5, classes(3))),
    "five classes": ("no", classes(0, 1, 2, 3, 4)),
    "eight classes": ("no", classes(*range(8))),
    "20 images, over and over": ("no", repeated(20)),
    "copies": ("no", copied(as_it_is)),
    "a quarter copies": ("no", share(0.25, copied(as_it_is))),
    "a quarter mirrored copies": ("no", share(0.25, copied(mirrored))),
    "copies, mirrored": ("no", copied(mirrored)),
    "copies, moved by 1": ("no", copied(moved(1, 0))),
    "copies, moved by 3 and 2": ("no", copied(moved(-3, 2))),
    "copies, mirrored and moved": ("no", copied(then(mirrored, moved(1, -2)))),
    "copies, half the contrast": ("no", copied(linear(0.5, around=0))),
    "copies, lighter": ("no", copied(linear(1, lift=0.1))),
    "copies, gamma 1.5": ("no", copied(gamma(1.5))),
    "copies, noise .05": ("no", copied(noisy(0.05, 0.05))),
    "copies, blur .5": ("no", copied(blurred(0.5))),
    "copies, JPEG 40": ("no", copied(jpeg(40))),
    "copies at 110 %": ("no", copied(zoomed(1.1))),
    "copies at 92 %": ("no", copied(zoomed(0.92))),
    "copies, 9 parts and 1 of another": ("no", copied(mixed(0.9))),
}


def looks(name: str, data: str) -> str:
    said = CONTROLS[name][0]
    return said if isinstance(said, str) else said[data == "cifar10"]
