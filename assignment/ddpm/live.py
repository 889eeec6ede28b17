"""A live log of a training for TensorBoard, off unless training.tensorboard=true; writes to the run's folder only."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image

from assignment.ddpm.errors import UserError

FOLDER = "tensorboard"
MISSING = (
    "training.tensorboard=true: the package tensorboard is not installed; expected it from "
    "`uv sync --extra tensorboard`, or `pip install tensorboard`"
)


class LiveLog(Protocol):
    def losses(self, step: int, **losses: float) -> None:
        """Add points to the curves."""

    def picture(self, step: int, file: Path) -> None:
        """Show a picture as it is now; nothing if it is not there."""

    def close(self) -> None:
        """Write what is left."""


class NoLog:
    """In place of a log that nobody asked for."""

    def losses(self, step: int, **losses: float) -> None: ...

    def picture(self, step: int, file: Path) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Needs the package tensorboard: see `live_log`."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # steps from here on are this sitting's, also where an earlier one that was killed had come further
        self.writer = SummaryWriter(folder / FOLDER, purge_step=step, flush_secs=5)

    def losses(self, step: int, **losses: float) -> None:
        for name, loss in losses.items():
            self.writer.add_scalar(f"loss/{name}", loss, step)

    def picture(self, step: int, file: Path) -> None:
        if not file.exists():
            return
        with Image.open(file) as picture:
            pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8)
            self.writer.add_image(file.stem, pixels.view(picture.height, picture.width, 3), step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


def live_log(wanted: bool) -> Callable[[Path, int], LiveLog]:
    """What opens the log of a run in its folder, from a step on. Raises UserError if the package is missing."""
    if not wanted:
        return lambda folder, step: NoLog()
    try:
        import torch.utils.tensorboard  # noqa: F401  torch's own writer
    except ImportError as error:
        raise UserError(MISSING) from error
    return TensorBoard
