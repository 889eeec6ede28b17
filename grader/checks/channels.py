"""Level 1, images with 3 channels: does every answer follow from its own pixel, and from what is around it?

Single pixels are moved, and each answer's change is looked at. Only what every right architecture does is asked for.
A network may look everywhere (an MLP, attention), in patches, in one channel at a time, in rows; but the noise in a
pixel can only be known from that pixel, its channel and its surroundings. And the end of a row is as far from the start
of the next row as from that of the row before, although in memory the former are side by side.

Measured on the right bank (30 networks and 5 more made for this, 2 seeds each), after random noise on all parameters:
the change at the moved pixel is 0.17 to 1 of the largest anywhere in the median, 0.002 where layouts are mixed up; the
least of 3 directions in which channels matter is 0.09 to 1 of the largest, 1e-5 where colour is lost; places side by
side in memory matter 0.3 to 2 times as much as those as far away, 200 times and more where memory is misread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_least, at_most

OWN = 0.02  # of the largest change anywhere, median: change of the answer at the moved pixel itself
AROUND = 1e-5  # of the change at the moved pixel: of some other answer in the same channel, more than rounding
COLOURS = 2e-3  # of the largest singular value of the channels' effects: the least
MEMORY = 6.0  # times: by how much places side by side in memory may matter more than those as far away in the image
COUNTS = 1e-3  # of the change at the moved pixel: what is less is not looked at


class Place(NamedTuple):
    channel: int
    row: int
    column: int


class Move(NamedTuple):
    """A pixel that is moved, with one that lies beside it in memory and one that lies as far away in the image."""

    at: Place
    in_memory: Place | None = None
    as_far: Place | None = None


@dataclass(frozen=True)
class Effects:
    """How answers (C, H, W) change when pixels move, one by one, and when whole channels do, by one field each."""

    moves: Sequence[Move]
    of_moves: Tensor  # (N, C, H, W)
    of_channels: Tensor  # (C, C, H, W)

    def at(self, places: Sequence[Place | None]) -> Tensor:
        """The size of the change at a place for each move that has one, (K,) float64."""
        found = [self.of_moves[i][place].double().abs() for i, place in enumerate(places) if place]
        return torch.stack(found)

    @property
    def own(self) -> Tensor:
        return self.at([move.at for move in self.moves])


def check_channels(effects: Effects) -> dict[str, float]:
    """Each answer follows from its own pixel, each channel from what is around it, and none is a copy of another."""
    channels = effects.of_moves.shape[1]
    largest = effects.of_moves.double().abs().flatten(1).amax(1)  # (N,)
    share = effects.own / largest.clamp(min=1e-30)  # (N,)
    of_channel = torch.tensor([move.at.channel for move in effects.moves])
    own = [share[of_channel == c].quantile(0.5).item() for c in range(channels)]
    measured = {"own_pixel": min(own)} | at_least(min(own), OWN)
    for c in range(channels):
        if not own[c] > OWN:
            raise CheckFailed(
                f"expected the answer at a pixel of channel {c} to change when x changes there, got a change that is "
                f"{own[c]:.1g} of the largest elsewhere",
                "The noise in a pixel can only be seen in that pixel. Does every channel of x take part, and does a "
                "reshape put everything back where it came from? (B, C, H, W) → (B, H·W, C) takes "
                ".flatten(2).transpose(1, 2), and the way back .transpose(1, 2).reshape(B, C, H, W).",
                **measured,
            )
        if not _around(effects, c) > AROUND:
            raise CheckFailed(
                f"expected the answers of channel {c} to follow from the pixels around them, too, got ones that follow "
                "from their own pixel alone",
                "Does channel " + str(c) + " go through the network, or only past it?",
                **measured,
            )
    for effect, what in ((effects.of_channels, "input"), (_by_output(effects), "output")):
        values = torch.linalg.svdvals(effect.double().flatten(1))
        colour = (values[-1] / values[0]).item()
        measured |= {f"{what}_channels": colour}
        if not colour > COLOURS:
            raise CheckFailed(
                f"expected {channels} {what} channels that count separately, got ones that are copies or mixtures of "
                f"fewer ({colour:.1g} of the effect is all that tells them apart)",
                "Is the image made grey on the way (a mean over channels, a layer with one channel), or one channel "
                "repeated? The first and the last layer need config.image_channels.",
                **measured,
            )
    return measured


def _around(effects: Effects, channel: int) -> float:
    """The largest change of a channel's answers at another pixel than the moved one, relative to that at the latter."""
    changes = effects.of_moves[:, channel].double().abs().clone()  # (N, H, W)
    for i, move in enumerate(effects.moves):
        changes[i, move.at.row, move.at.column] = 0
    return (changes.max() / effects.own.max().clamp(min=1e-30)).item()


def _by_output(effects: Effects) -> Tensor:
    """What all moves together do to each channel of the answer, (C, N, H, W)."""
    return torch.cat([effects.of_channels, effects.of_moves]).transpose(0, 1)


def check_neighbours(effects: Effects) -> dict[str, float]:
    """What lies side by side in memory only matters no more than what is as far away in the image.

    A network that reads the image as one long row of pixels may well reach the next row at the end of one; but then the
    other channels of the moved pixel, which are the same element of that row, matter no less.
    """
    in_memory, as_far = (_rms(effects.at([getattr(move, name) for move in effects.moves])) for name in Move._fields[1:])
    others = _rms(torch.stack([_other_channels(effects, i) for i, move in enumerate(effects.moves) if move.in_memory]))
    floor = COUNTS * _rms(effects.own)
    times = (in_memory / torch.stack([as_far, others, floor]).max()).item()
    measured = {"times_as_much": times} | at_most(times, MEMORY)
    if not times <= MEMORY:
        raise CheckFailed(
            f"expected places that are far apart in the image to matter little to each other, got ones side by side in "
            f"memory that matter {times:.0f} times as much as others as far apart",
            "A view or reshape reads (B, C, H, W) in the wrong order, so that pixels become neighbours that are not. "
            "To put channels last, use .permute(0, 2, 3, 1), or .flatten(2).transpose(1, 2) for (B, H·W, C), never "
            ".view or .reshape; and take the same way back.",
            **measured,
        )
    return measured


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


def _other_channels(effects: Effects, i: int) -> Tensor:
    """The change at the moved pixel in the other channels, one number."""
    c, row, column = effects.moves[i].at
    values = effects.of_moves[i, :, row, column].double()
    return _rms(torch.cat([values[:c], values[c + 1 :]]))
