"""The reference's recorded results: what `make reference` writes, and what levels 1 to 3 compare with.

reference/results/CONFIG.json has the figures and where they come from, CONFIG.safetensors the loss on every frozen
triple, reference/weights/CONFIG.safetensors the weights, if they are small enough to ship.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from assignment.ddpm.errors import UserError
from assignment.ddpm.files import replacing
from grader import ROOT
from grader.metrics.triples import Triples

RESULTS = ROOT / "reference" / "results"
WEIGHTS = ROOT / "reference" / "weights"


@dataclass(frozen=True)
class Record:
    figures: dict[str, Any]
    losses: dict[str, Tensor]  # "validation.0" … : of each triple of a look, (N,) float32

    @property
    def provisional(self) -> str:
        """Why these figures are not final; empty if they are."""
        return self.figures["provisional"]

    @property
    def caveat(self) -> str:
        """A note to follow a figure."""
        return f" [provisional, {self.provisional}]" if self.provisional else ""

    @property
    def looks(self) -> int:
        """How many looks at the validation images are recorded."""
        return sum(name.startswith("validation.") for name in self.losses)

    @property
    def chosen(self) -> dict[str, Any]:
        """The best of the trainings, with which students compete."""
        return next(s for s in self.figures["seeds"] if s["seed"] == self.figures["chosen_seed"])

    def look(self, part: str, look: int, triples: Triples) -> Tensor | None:
        """The reference's losses on these triples, (N,); None if this torch draws others than those recorded."""
        name = f"{part}.{look}"
        if self.figures["fingerprints"].get(name) != triples.fingerprint():
            return None
        return self.losses[name].double()


def has_learnt(figures: dict[str, Any], above_real: float) -> bool:
    """Whether the reference's own samples pass the limit on FID; if not, it is nothing to compare with."""
    return any(
        row["fid"] <= of["floor"]["fid"]["mean"] + above_real
        for of in figures["samples"].values() for row in of["reference"]
    )  # fmt: skip


def load_record(config: str) -> Record | None:
    """The record for a configuration, by its name; None if there is none. Raises UserError if unreadable."""
    file = RESULTS / f"{config}.json"
    if not file.exists():
        return None
    try:
        found = Record(json.loads(file.read_text()), safetensors.torch.load_file(file.with_suffix(".safetensors")))
        if isinstance(found.provisional, str) and isinstance(found.chosen["milestones"], list):
            return found
        raise ValueError("`provisional` is no text")
    except Exception as error:  # on a foreign file the readers raise almost anything
        raise UserError(f"{file}: not readable as the reference's results: {error!r}") from error


def save_record(config: str, record: Record) -> Path:
    file = RESULTS / f"{config}.json"
    with replacing(file.with_suffix(".safetensors")) as temporary:
        safetensors.torch.save_file({k: v.float().contiguous() for k, v in record.losses.items()}, temporary)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(record.figures, indent=1) + "\n")
    return file
