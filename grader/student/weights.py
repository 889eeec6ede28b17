"""The weights of a training: read here, as safetensors, never unpickled."""

from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from assignment.ddpm import checkpoint as ckpt
from grader.checks.finding import CheckFailed
from grader.submission import weights_files
from grader.submission.weights_files import FOLDER, FOUND, GIVEN, HANDED_IN, LOG, TRAINED, date_of, trained_for

MOST = 512 << 20  # bytes of all tensors, tied ones counted each: many times the reference's


@dataclass(frozen=True)
class WeightsAt:
    """Where the weights of a configuration are, and how they came there; the file need not exist."""

    file: Path
    origin: str = GIVEN
    refused: str = ""  # why handed-in ones were not taken
    own: bool = False  # of this project's own assignment/, so that what main.py left there is surely its own

    @classmethod
    def handed_in(cls, submission: Path, config: str) -> "WeightsAt | None":
        file, refused = weights_files.handed_in(submission, config), weights_files.refusal(submission, config)
        if file is None and not refused:
            return None
        return cls(file or weights_files.place(submission, config), HANDED_IN, "" if file else refused)

    @property
    def shown(self) -> str:
        """The file as a report names it: whoever reads it need not know the course's folders."""
        return {HANDED_IN: f"{FOLDER}/{self.file.name}", TRAINED: self.file.name}.get(self.origin, str(self.file))

    @property
    def log(self) -> Path:
        """The losses of the training by epoch."""
        return self.file.with_name(ckpt.LOG if self.origin != HANDED_IN else f"{self.file.stem}{LOG}")


@dataclass(frozen=True)
class Weights:
    file: Path
    state: dict[str, Tensor]
    about: dict[str, str]  # epoch, val_loss, and the code that they were trained with: its hash, its text

    def describe(self, at: WeightsAt) -> str:
        """Which weights, from where and from when."""
        dated = [f"of {date_of(self.file)}"] if at.origin in (GIVEN, FOUND) else []
        return ", ".join(filter(None, [at.shown, at.origin, trained_for(self.about), *dated]))


def read_weights(file: Path, most: int = MOST) -> Weights:
    """The weights in a file of at most so many bytes. Raises CheckFailed if they are not safetensors, or too many."""
    if file.is_symlink() or file.parent.is_symlink():
        raise CheckFailed(f"expected weights in {file.name}, got a symbolic link", "Put the file itself there.")
    if (size := file.stat().st_size) > most:
        raise _too_large(file, size, most)
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
        state = safetensors.torch.load_file(file)
    except Exception as error:  # the reader raises almost any exception on forged bytes
        raise CheckFailed(
            f"expected weights as safetensors in {file.name}, got something else: {error}",
            "Only safetensors are read; a pickle could run code. main.py writes them as they are wanted.",
        ) from error
    tied = {alias: state[kept] for alias, kept in about.items() if kept in state and alias not in state}
    # each will be a tensor of its own on its way to the worker
    if (size := sum(v.numel() * v.element_size() for v in (*state.values(), *tied.values()))) > MOST:
        raise _too_large(file, size, MOST)
    return Weights(file, state | tied, about)


def _too_large(file: Path, size: int, most: int) -> CheckFailed:
    return CheckFailed(
        f"expected at most {most >> 20:,} MiB of weights in {file.name}, got {size >> 20:,} MiB",
        "Make the network smaller; one of 20 MiB can beat the reference.",
    )
