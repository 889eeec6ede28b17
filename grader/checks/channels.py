"""Level 1, images with 3 channels: does every answer follow from its own pixel, and from what is around it?

Single pixels are moved, and each answer's change is looked at. Only what every right architecture does is asked for.
A network may look everywhere (an MLP, attention), in patches, in one channel at a time, in rows; but the noise in a
pixel can only be known from that pixel, its channel and its surroundings. And the end of a row is as far from the start
of the next row as from that of the row before, although in memory the former are side by side.

Measured after random noise on all parameters, on 40 right networks with 20 seeds each, and on wrong ones: the change
at and around a moved pixel is 0.08 to 0.47 of the largest anywhere, 0 where channels or places are mixed up; the least
of the directions in which channels matter 0.033 to 0.97 of the largest, 1e-5 and less where colour is lost; and places
side by side in memory matter up to 1.7 times as much as those as far away, 50 to 1,700 times where memory is misread.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from grader.checks.finding import CheckFailed, at_least, at_most, refuse_not_finite

OWN = 0.02  # of the channel's largest change anywhere, median over moves: rms change at and around the moved pixel
NOTHING = 1e-4  # of the largest change in any channel: a channel that changes less than this does not
REACH = 1  # pixels around it: one coefficient of a random network alone may well be near 0, all nine are not
AROUND = 1e-5  # of the change at moved pixels: change of some other answer of a channel, more than rounding
COLOURS = 1e-3  # of the largest singular value of the channels' effects: the least
MEMORY = 6.0  # times: by how much places side by side in memory may matter more than those as far away in the image
COUNTS = 1e-3  # of the change at the moved pixel: what is less is not looked at


class Place(NamedTuple):
    channel: int
    row: int
    column: int


class Move(NamedTuple):
    """A pixel that is moved, and if it is at an edge, one beside it in memory, and others as far away in the image."""

    at: Place
    in_memory: Place | None = None
    as_far: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Effects:
    """How answers (C, H, W) change when pixels move, one by one, and when whole channels do, by one field each."""

    moves: Sequence[Move]
    of_moves: Tensor  # (N, C, H, W)
    of_channels: Tensor  # (C, C, H, W)

    def rms(self, places: Sequence[Sequence[Place]]) -> Tensor:
        """The root mean square change over some places for each move, a scalar."""
        return _rms(torch.stack([self.of_moves[i][at].double() for i, some in enumerate(places) for at in some]))

    @property
    def own(self) -> Tensor:
        return self.rms([[move.at] for move in self.moves])

    def near(self) -> Tensor:
        """Of each moved pixel's channel, the rms change at and around it, relative to the largest anywhere: (N,)."""
        found = []
        for change, move in zip(self.of_moves.double().abs(), self.moves, strict=True):
            rows, columns = (slice(max(0, at - REACH), at + REACH + 1) for at in move.at[1:])
            channel = change[move.at.channel]
            most = channel.max().maximum(NOTHING * change.max()).clamp(min=1e-30)
            found.append(_rms(channel[rows, columns]) / most)
        return torch.stack(found)


def check_channels(effects: Effects) -> dict[str, float]:
    """Each answer follows from its own pixel, each channel from what is around it, and none is a copy of another."""
    channels = effects.of_moves.shape[1]
    share = effects.near()
    of_channel = torch.tensor([move.at.channel for move in effects.moves])
    own = [share[of_channel == c].quantile(0.5).item() for c in range(channels)]
    measured = {"own_pixel": min(own)} | at_least(min(own), OWN)
    for c in range(channels):
        if not own[c] > OWN:
            raise CheckFailed(
                f"expected the output at a pixel of channel {c} to change when x changes there, got a change that is "
                f"{own[c]:.1g} of the largest",
                "The noise in a pixel can only be seen in that pixel. Does every channel of x take part, and does a "
                "reshape put everything back where it came from? (B, C, H, W) → (B, H·W, C) takes "
                ".flatten(2).transpose(1, 2), and the way back .transpose(1, 2).reshape(B, C, H, W).",
                **measured,
            )
        if not _around(effects, c) > AROUND:
            raise CheckFailed(
                f"expected the outputs of channel {c} to follow from the pixels around them, too, got ones that follow "
                "from their own pixel alone",
                "Does channel " + str(c) + " go through the network, or only past it?",
                **measured,
            )
    for effect, what in ((effects.of_channels, "input"), (_by_output(effects), "output")):
        colour = _told_apart(effect)
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


def _told_apart(effect: Tensor) -> float:
    """The least singular value of what channels do, (C, …), relative to the largest; NaN where one isn't finite."""
    if not effect.isfinite().all():
        return math.nan
    values = torch.linalg.svdvals(effect.double().flatten(1))
    return (values[-1] / values[0].clamp(min=1e-30)).item()


def _around(effects: Effects, channel: int) -> float:
    """The largest change of a channel's answers at another pixel than the moved one, relative to that at the latter."""
    changes = effects.of_moves[:, channel].double().abs().clone()  # (N, H, W)
    for i, move in enumerate(effects.moves):
        changes[i, move.at.row, move.at.column] = 0
    return (changes.max() / effects.own.clamp(min=1e-30)).item()


def _by_output(effects: Effects) -> Tensor:
    """What all moves together do to each channel of the answer, (C, N, H, W)."""
    return torch.cat([effects.of_channels, effects.of_moves]).transpose(0, 1)


def check_neighbours(effects: Effects) -> dict[str, float]:
    """What lies side by side in memory only matters no more than what is as far away in the image.

    A network that reads the image as one long row of pixels may well reach the next row at the end of one; but then the
    other channels of the moved pixel, which are the same element of that row, matter no less.
    """
    refuse_not_finite("the outputs", effects.of_moves, effects.of_channels)
    in_memory = effects.rms([[move.in_memory] if move.in_memory else [] for move in effects.moves])
    as_far = effects.rms([move.as_far for move in effects.moves])
    others = _rms(torch.stack([_other_channels(effects, i) for i, move in enumerate(effects.moves) if move.in_memory]))
    floor = COUNTS * effects.own
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
