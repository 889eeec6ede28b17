"""The reference's validation loss along its training, and where another training stands beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignment.ddpm.config import Config, load_config
from assignment.ddpm.errors import UserError

RESULTS, CONFIGS = Path("reference/results"), Path("configs")
Row = tuple[float, float, float]  # epoch, training loss, validation loss


@dataclass(frozen=True)
class Milestones:
    losses: list[tuple[float, float]]  # (epoch, validation loss), the last one where its training ended
    parameters: int
    with_labels: bool = False  # then level 2, which gives none, says nothing about these losses

    @property
    def first(self) -> tuple[float, float]:
        return self.losses[0]

    @property
    def final(self) -> tuple[float, float]:
        return self.losses[-1]


def load_milestones(name: str, config: Config, root: Path = Path()) -> Milestones | None:
    """Of the configuration `name`; None where nothing is recorded, or losses of `config` can't be compared with it."""
    try:
        if _task(load_config(root / CONFIGS / f"{name}.yaml")) != _task(config):
            return None
        record = json.loads((root / RESULTS / f"{name}.json").read_text())
        chosen = next(seed for seed in record["seeds"] if seed["seed"] == record["chosen_seed"])
        # The milestones were measured on other triples; the last of them also on those that main.py validates on.
        ratio = chosen["logged_validation_loss"] / recorded_loss(chosen)
        losses = [(float(row["epoch"]), ratio * recorded_loss(row)) for row in chosen["milestones"]]
        last = float(chosen["kept_epoch"]), float(chosen["logged_validation_loss"])
        return Milestones([*losses, last], int(record["parameters"]), config.model.num_classes is not None)
    except (UserError, OSError, ValueError, KeyError, TypeError, StopIteration, ZeroDivisionError):
        return None  # a picture and a line are left out


def recorded_loss(recorded: dict[str, Any]) -> float:
    """Of a row of a record; with the true labels where there are any, as main.py's validation loss is."""
    return float(recorded.get("with_labels", recorded)["loss"])


def _task(config: Config) -> tuple[object, ...]:
    """What a loss is measured on: images and noise, and whether the network is told the class."""
    model = config.model
    return config.data.name, model.image_shape, model.num_timesteps, config.diffusion, model.num_classes


def beside(log: Sequence[Row], of: Milestones, parameters: int, *, all_images: bool) -> str:
    """Where a training of a network with so many parameters stands, in two sentences."""
    epoch, _, best = min(log, key=lambda row: row[2])
    own = f"Validation loss {best:.4f} after epoch {epoch:.4g}, with {parameters:,} parameters"
    last_epoch, last = of.final
    end = f"{last:.4f} after epoch {last_epoch:.3g}"
    on = "" if all_images else ", trained on all images,"
    reference = f"the reference ({of.parameters:,} parameters){on}"
    behind = [e for e, loss in of.losses if loss >= best]
    if best < last:
        lead = "" if of.with_labels else ". `make test-level2` says whether the lead is clear"
        return f"{own}: lower than where {reference} ended, {end}{lead}"
    if not behind:
        return f"{own}. After epoch {of.first[0]:g} {reference} had {of.first[1]:.4f}; it ended at {end}"
    stood = f"{max(behind):.3g} epoch{'s' if max(behind) != 1 else ''}"
    return f"{own}. {reference.capitalize()} stood there after about {stood}; it ended at {end}"
