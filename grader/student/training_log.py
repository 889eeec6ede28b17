"""log.csv of a training. The student could have written anything into it, so it is read with care, and only drawn."""

import csv
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from assignment.ddpm.errors import UserError

LARGEST = 1 << 20  # bytes
MAX_EPOCHS = 10_000  # rows
SMALLEST, GREATEST = 1e-6, 1e6  # epoch and loss: beyond these a picture shows nothing


class Epoch(NamedTuple):
    epoch: float
    training: float  # loss
    validation: float


def read_log(file: Path) -> list[Epoch]:
    """The losses by epoch; empty if there is no log, or a link. Raises UserError for a log that can't be drawn."""
    if not file.is_file() or file.is_symlink():
        return []
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        rows = list(csv.DictReader(content.decode().splitlines()))
        log = [Epoch(*(float(row[key]) for key in ("epoch", "train_loss", "val_loss"))) for row in rows]
        if not 0 < len(log) <= MAX_EPOCHS:
            raise ValueError(f"expected 1 to {MAX_EPOCHS:,} epochs, got {len(log):,}")
        if not all(SMALLEST < value < GREATEST for row in log for value in row):
            raise ValueError(f"expected epochs and losses between {SMALLEST:g} and {GREATEST:g}")
        if any(after.epoch <= before.epoch for before, after in pairwise(log)):
            raise ValueError("expected epochs that go up")
    except KeyError as missing:
        raise UserError(f"{file.name}: there is no column {missing}") from missing
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{file.name}: not readable as the losses of a training: {str(error)[:200]}") from error
    return log
