"""The weights of a training: read here, as safetensors, never unpickled."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from grader.checks.finding import CheckFailed, NotJudged


@dataclass(frozen=True)
class Weights:
    file: Path
    state: dict[str, Tensor]
    about: dict[str, str]  # epoch, val_loss, and the hash of the code they were trained with

    def describe(self) -> str:
        """Which weights, from when, for which code."""
        when = datetime.fromtimestamp(self.file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        return f"{self.file}, epoch {self.about.get('epoch', '?')}, of {when}, model.py {self.about['code'][:12]}"


def read_weights(file: Path, code: str, again: str) -> Weights:
    """The weights of a run.

    Args:
        code: SHA-256 of the model.py being judged
        again: the command that trains
    Raises:
        NotJudged: there are none, or they belong to another model.py
        CheckFailed: they are not safetensors
    """
    if not file.is_file():
        raise NotJudged(f"there are no weights in {file.parent}: train first with {again}")
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
        state = safetensors.torch.load_file(file)
    except (OSError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckFailed(
            f"expected weights as safetensors in {file}, got something else: {error}",
            "Only safetensors are read; a pickle could run code. main.py writes them as they are wanted.",
        ) from error
    if about.get("code") != code:
        raise NotJudged(f"the weights in {file.parent} were trained with another model.py: train again with {again}")
    state |= {alias: state[kept] for alias, kept in about.items() if kept in state and alias not in state}  # tied ones
    return Weights(file, state, about)
