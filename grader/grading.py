"""configs/grading.yaml: the points of each check, and the budget of the overfit run."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from assignment.ddpm.errors import UserError
from grader import ROOT

GRADING = ROOT / "configs" / "grading.yaml"


@dataclass(frozen=True)
class Budget:
    """Of the overfit run: at most `steps` steps on batches of `batch`, from `images` images; see grader/overfit.py."""

    images: int
    batch: int
    steps: int
    share: float  # of the loss of the best scaling of x_t, which the network has to come below


@dataclass(frozen=True)
class Grading:
    points: dict[str, float]
    overfit: dict[str, Budget]


def load_grading(path: Path = GRADING) -> Grading:
    """Raises UserError where a value is not what it should be."""
    values = OmegaConf.to_container(OmegaConf.load(path))
    try:
        points = {str(k): float(v) for k, v in values["points"].items()}
        overfit = {str(k): Budget(**v) for k, v in values["overfit"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: expected points: and overfit: as shipped; {error}") from error
    if wrong := [k for k, v in points.items() if v < 0]:
        raise UserError(f"{path}: points.{wrong[0]}: expected at least 0")
    return Grading(points, overfit)
