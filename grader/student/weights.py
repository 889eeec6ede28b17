"""The weights of a training: read here, as safetensors, never unpickled."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged

MOST = 512 << 20  # bytes of all tensors, tied ones counted each: many times the reference's


@dataclass(frozen=True)
class Weights:
    file: Path
    state: dict[str, Tensor]
    about: dict[str, str]  # epoch, val_loss, and the hash of the code they were trained with

    def describe(self) -> str:
        """Which weights, from when, for which code."""
        epoch = self.about.get("epoch", "?")[:20]
        return f"{self.file}, epoch {epoch}, of {_date_of(self.file)}, model.py {self.about['code'][:12]}"


def _date_of(file: Path) -> str:
    """When it was last written; whoever handed it in could set any date, also one that no calendar has."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    except (OSError, OverflowError, ValueError):
        return "an impossible date"


def read_weights(file: Path, code: str, again: str) -> Weights:
    """The weights of a run.

    Args:
        code: SHA-256 of the model.py being judged
        again: the command that trains
    Raises:
        NotJudged: there are none, or they belong to another model.py
        CheckFailed: they are not safetensors, or too many
    """
    if file.is_symlink():
        raise CheckFailed(f"expected weights in {file}, got a symbolic link", "Put the file itself there.")
    if not file.is_file():
        raise NotJudged(f"there are no weights in {file.parent}: train first with {again}")
    if (size := file.stat().st_size) > MOST:
        raise _too_large(file, size)
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
        state = safetensors.torch.load_file(file)
    except Exception as error:  # the reader raises almost any exception on forged bytes
        raise CheckFailed(
            f"expected weights as safetensors in {file}, got something else: {error}",
            "Only safetensors are read; a pickle could run code. main.py writes them as they are wanted.",
        ) from error
    if about.get("code") != code:
        raise NotJudged(f"the weights in {file.parent} were trained with another model.py: train again with {again}")
    tied = {alias: state[kept] for alias, kept in about.items() if kept in state and alias not in state}
    # each will be a tensor of its own on its way to the worker
    if (size := sum(v.numel() * v.element_size() for v in (*state.values(), *tied.values()))) > MOST:
        raise _too_large(file, size)
    return Weights(file, state | tied, about)


def _too_large(file: Path, size: int) -> CheckFailed:
    return CheckFailed(
        f"expected at most {MOST >> 20:,} MiB of weights in {file}, got {size >> 20:,} MiB",
        "Make the network smaller; one of 20 MiB can beat the reference.",
    )
