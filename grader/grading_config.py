"""configs/grading.yaml: points of each check and bands of them, the overfit run, requirements on samples, limits."""

import difflib
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import UserError
from grader import ROOT
from grader.bands import Bands, Listed, parse, resolve
from grader.check_ids import OPTIONAL, check_ids, config_file
from grader.sections import build, number, read_yaml, refuse_unknown, section
from grader.worker.limits import Limits

GRADING = ROOT / "configs" / "grading.yaml"
FEWEST_STEPS = 25  # of a drawing, so that every part of t is seen …
BINS = 4  # … of these
CHANGED = ("judge", "refuse")


@dataclass(frozen=True)
class Budget:
    """The overfit run: `steps` steps, up to `longest` while the loss falls, on `batch` of `images` images each."""

    images: int
    batch: int
    steps: int
    longest: int
    share: float  # of the loss of the best scaling of x_t; the network's loss has to fall below it


@dataclass(frozen=True)
class Drawing:
    """How many samples are drawn, in how many steps of the sampler: FEWEST_STEPS at least."""

    images: int
    steps: int


@dataclass(frozen=True)
class Samples:
    """Requirements on samples of a data set, and how many are drawn on which kind of device."""

    cpu: Drawing
    gpu: Drawing
    above_real: float  # FID, at most, above that of as many real images never seen in training
    confidence: float  # of the classifier, at least, relative to that on real images
    rarest_class: float  # share of the samples, at least, in each class but `missing_classes`
    commonest_class: float  # … and at most in any
    missing_classes: int
    damaged: float  # share of the samples, at most, that look damaged
    copies: float  # share of the samples, at most, that reproduce a training image
    denoises: list[float]  # loss on unseen images, at most, over the best linear denoiser's, in each bin of t
    classes: int = 10  # that the data set has

    def setting(self, kind: str) -> Drawing:
        return getattr(self, kind)


@dataclass(frozen=True)
class Time:
    """Seconds beyond those that the reference's pace grants: for importing, building, slow first calls."""

    request: float  # at most, of one request
    check: float  # of all requests of a check
    submission: float  # of all checks


@dataclass(frozen=True)
class Training:
    """What a training by the course may use (--train)."""

    minutes: float  # on each configuration
    memory_gib: float  # of address space; on a GPU there is no limit
    processes: int  # and threads
    file_mib: int
    disk_mib: int  # in all


@dataclass(frozen=True)
class WeightsRules:
    """Trained weights that students hand in."""

    mib: float  # of a file, at most
    changed_code: str  # CHANGED: what becomes of weights whose model.py was changed afterwards

    @property
    def bytes(self) -> int:
        return int(self.mib * (1 << 20))


@dataclass(frozen=True)
class Grading:
    points: dict[str, float]
    bands: dict[str, Listed]  # data set → check without its level → value → share of the points
    overfit: dict[str, Budget]
    samples: dict[str, Samples]
    limits: Limits
    time: Time
    training: Training
    weights: WeightsRules

    @property
    def optional_levels(self) -> tuple[int, ...]:
        """Those that give points, so that everybody is graded on them."""
        return tuple(level for level in OPTIONAL if any(v for k, v in self.points.items() if _is_of(k, (level,))))

    def bands_of(self, levels: Iterable[int], given: Path | None, overrides: Sequence[str] = ()) -> dict[str, Bands]:
        """Check → its bands, for those that have some; `given`: the configuration to grade on, else each level's own.

        Raises:
            UserError: a milestone of the reference is not recorded, or bands contradict each other
        """
        found = {}
        for level in levels:
            config = config_file(level, given)
            data = load_config(config, overrides).data.name
            for name, listed in self.bands.get(data, {}).items():
                where, check = f"{GRADING}: bands.{data}.{name}", f"level{level}.{name}"
                bands = resolve(name, listed, self.samples[data], config.stem, where) if check in self.points else None
                if bands is not None:
                    found[check] = bands
        return found


def _is_of(check_id: str, levels: Sequence[int]) -> bool:
    return check_id.startswith(tuple(f"level{level}." for level in levels))


def grading_digest() -> str:
    """The SHA-256 of the file, by which results name the one that they were judged by."""
    return hashlib.sha256(GRADING.read_bytes()).hexdigest()


def _samples(where: str, given: Any) -> Samples:
    values = section(where, given)
    values |= {kind: build(Drawing, f"{where}.{kind}", values[kind]) for kind in ("cpu", "gpu") if kind in values}
    found = build(Samples, where, values)
    if not isinstance(found.denoises, list) or len(found.denoises) != BINS:
        raise UserError(f"{where}.denoises: expected {BINS} numbers, one for each part of t, got {found.denoises!r}")
    if not all(number(f"{where}.denoises", limit) > 0 for limit in found.denoises):
        raise UserError(f"{where}.denoises: expected numbers above 0")
    for kind in ("cpu", "gpu"):
        if not found.setting(kind).images > 0:
            raise UserError(f"{where}.{kind}.images: expected more than 0")
        if not found.setting(kind).steps >= FEWEST_STEPS:
            raise UserError(f"{where}.{kind}.steps: expected at least {FEWEST_STEPS}")
    if not 0 <= found.missing_classes < found.classes:
        raise UserError(f"{where}.missing_classes: expected at least 0, and fewer than there are, {found.classes}")
    return found


def load_grading(path: Path | None = None) -> Grading:
    """Read and check the file, by default configs/grading.yaml. Raises UserError, in one line, for what is wrong."""
    path = path or GRADING
    try:
        return _grading(read_yaml(path))
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error


def _grading(values: dict[str, Any]) -> Grading:
    names = [each.name for each in fields(Grading)]
    refuse_unknown("", values, names)
    if missing := [name for name in names if name not in values and name != "bands"]:
        raise UserError(f"{missing[0]}: the section is missing; expected it as shipped")
    none = {k: 0.0 for k in check_ids() if _is_of(k, OPTIONAL)}  # optional levels need not be listed
    points = none | {k: float(number(f"points.{k}", v)) for k, v in section("points", values["points"]).items()}
    points = {k: points[k] for k in (*check_ids(), *points) if k in points}
    overfit = {k: build(Budget, f"overfit.{k}", v) for k, v in section("overfit", values["overfit"]).items()}
    samples = {k: _samples(f"samples.{k}", v) for k, v in section("samples", values["samples"]).items()}
    limits, time = build(Limits, "limits", values["limits"]), build(Time, "time", values["time"])
    training, weights = (
        build(Training, "training", values["training"]),
        build(WeightsRules, "weights", values["weights"]),
    )
    if wrong := [k for k in points if k not in check_ids()]:
        near = difflib.get_close_matches(wrong[0], check_ids(), n=1, cutoff=0.0)[0]
        raise UserError(f"points.{wrong[0]}: there is no such check; did you mean {near}?")
    if wrong := [k for k in check_ids() if k not in points]:
        raise UserError(f"points.{wrong[0]}: missing; expected a number, which may be 0")
    if wrong := [k for k, v in points.items() if not 0 <= v < math.inf]:
        raise UserError(f"points.{wrong[0]}: expected at least 0")
    positive = {"limits": limits, "time": time, "training": training, **{f"overfit.{k}": v for k, v in overfit.items()}}
    for where, of in positive.items():
        if wrong := [k for k, v in vars(of).items() if not 0 < v < math.inf]:
            raise UserError(f"{where}.{wrong[0]}: expected more than 0")
    if not 0 < weights.mib < math.inf:
        raise UserError(f"weights.mib: expected more than 0, got {weights.mib}")
    if weights.changed_code not in CHANGED:
        raise UserError(f"weights.changed_code: expected {' or '.join(CHANGED)}, got {weights.changed_code}")
    return Grading(points, parse(values.get("bands") or {}, samples), overfit, samples, limits, time, training, weights)
