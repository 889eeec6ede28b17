"""The reference's recorded results: what `make reference` writes, and what levels 1 to 3 compare with.

reference/results/CONFIG.json has the figures and where they come from, CONFIG.safetensors the loss of every frozen
triple, reference/weights/CONFIG.safetensors the weights, where they are small enough to be shipped.
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
        """Why these figures are not the last word; empty where they are."""
        return self.figures["provisional"]

    @property
    def caveat(self) -> str:
        """To be said behind a figure."""
        return f" [provisional, {self.provisional}]" if self.provisional else ""

    @property
    def looks(self) -> int:
        """How many looks at the validation images are recorded."""
        return sum(name.startswith("validation.") for name in self.losses)

    @property
    def chosen(self) -> dict[str, Any]:
        """Of the trainings the best one, which is what students compete with."""
        return next(s for s in self.figures["seeds"] if s["seed"] == self.figures["chosen_seed"])

    def look(self, part: str, look: int, triples: Triples) -> Tensor | None:
        """The reference's losses at these very triples; None where this torch draws others than were recorded."""
        name = f"{part}.{look}"
        if self.figures["fingerprints"].get(name) != triples.fingerprint():
            return None
        return self.losses[name].double()


def load_record(config: str) -> Record | None:
    """What is recorded for a configuration, by its name; None where nothing is. Raises UserError if unreadable."""
    file = RESULTS / f"{config}.json"
    if not file.exists():
        return None
    try:
        found = Record(json.loads(file.read_text()), safetensors.torch.load_file(file.with_suffix(".safetensors")))
        if isinstance(found.provisional, str) and isinstance(found.chosen["milestones"], list):
            return found
        raise ValueError("`provisional` is no text")
    except Exception as error:  # the readers and a foreign file together raise nearly anything
        raise UserError(f"{file}: not readable as the reference's results: {error!r}") from error


def save_record(config: str, record: Record) -> Path:
    file = RESULTS / f"{config}.json"
    with replacing(file.with_suffix(".safetensors")) as temporary:
        safetensors.torch.save_file({k: v.float().contiguous() for k, v in record.losses.items()}, temporary)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(record.figures, indent=1) + "\n")
    return file
