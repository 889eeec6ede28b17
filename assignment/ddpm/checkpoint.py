"""What a run writes to disk: weights for everyone (safetensors), a checkpoint for itself, its log as CSV."""

import csv
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing

WEIGHTS, CHECKPOINT, LOG, CURVE, CONFIG = "weights.safetensors", "checkpoint.pt", "log.csv", "curve.png", "config.yaml"


def save_weights(model: nn.Module, path: Path, **about: object) -> None:
    """Write a state dict with a few facts about it, each as text."""
    # save_model, not save_file, which rejects tied weights: save_model stores one copy of them
    with replacing(path) as temporary:
        safetensors.torch.save_model(model, str(temporary), metadata={k: str(v) for k, v in about.items()})


def load_weights(model: nn.Module, path: Path) -> dict[str, str]:
    """Fill the model from a file and return the facts stored with it. Raises UserError if they do not fit."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
        safetensors.torch.load_model(model, path)  # strict: a missing name or another shape is an error
    # two kinds of failure with different remedies: an unreadable file, and weights of another network
    except (OSError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: not readable as weights: {error}") from error
    except (RuntimeError, KeyError, AttributeError) as error:
        way = f"`python -m grader code {path} FILE` writes out theirs" if "source" in about else "train again"
        raise UserError(f"{path}: weights of another network than the one in the code now; {way}") from error
    return about


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    # Written every minute or so; a crash meanwhile must not destroy the previous one.
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        # weights_only: reading a pickle can run any code; this allows only tensors and plain values
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        raise UserError(f"{path}: not readable as a checkpoint; move it away to start anew") from error


def save_log(rows: list[dict[str, float]], path: Path) -> None:
    # rewritten completely, as a resumed run drops rows that its checkpoint does not have
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a log. Raises UserError if it is damaged."""
    try:
        with open(path, newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as a log: {error}") from error
