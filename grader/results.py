"""The one result model, and its JSON (schema no-confusion-diffusion/results/v1)."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing
from grader.bands import Bands

SCHEMA = "no-confusion-diffusion/results/v1"
DID_NOT_RUN = "did not run"
UNWRITTEN = "not implemented yet: "  # so begins the message of a check that met a stub of the starter
UNTRAINED = "there are no weights in "  # so begins the message where main.py has left none
LADDER = "docs/students.md shows what each idea buys"
TRAIN_WITH = "train_with"  # among measurements, where training is too short or the network too weak: settings to add
WAITS = "waits for "  # so begins the message of a check that builds on another, and was not judged
# what one of these has found explains what else fails: the first to look at for wrong networks of the bank
CAUSES = (
    "own_work", "behaviour.no_hidden_state", "behaviour.deterministic", "behaviour.no_side_effects",
    "behaviour.inputs_unchanged", "training.registered", "training.not_squashed", "training.gradient_flow",
)  # fmt: skip
VERDICTS = ("passed", "failed", "error", "timeout", "out_of_memory", "not_judged")


def level_of(check_id: str) -> int:
    """level1.timestep.uses_every_t → 1"""
    return int(check_id.partition(".")[0].removeprefix("level"))


def to_look_at(found: Sequence[tuple[str, str, str]]) -> list[int]:
    """Which checks a student should look at, in order: those that failed, causes first; else the first not judged.

    Args:
        found: the id, the verdict and the message of each
    """
    failed = [i for i, (_, verdict, _) in enumerate(found) if verdict not in ("passed", "not_judged")]
    order, said = {}, set[tuple[int, str]]()
    for i in failed:
        check_id, verdict, message = found[i]
        level, name = level_of(check_id), check_id.partition(".")[2]
        new = verdict == "failed" and (level, message) not in said  # else it tells of what a check before has met
        order[i] = level, CAUSES.index(name) if new and name in CAUSES else len(CAUSES)
        said.add((level, message))
    failed.sort(key=order.__getitem__)
    return failed or [i for i, (_, verdict, _) in enumerate(found) if verdict == "not_judged"][:1]


@dataclass
class Check:
    id: str  # level1.timestep.uses_every_t
    claim: str  # one sentence
    max_points: float
    verdict: str = "not_judged"
    message: str = DID_NOT_RUN
    hint: str = ""
    location: str = ""
    seconds: float = 0.0
    measurements: dict[str, Any] = field(default_factory=dict)
    trace: str = ""  # traceback through the student's own lines
    output: str = ""  # what the student's code printed
    share: float | None = None  # of the points, where bands say so; else all of them for who passes
    band: dict[str, Any] | None = None  # what was measured, which band that reaches, and which one is next

    @property
    def level(self) -> int:
        return level_of(self.id)

    @property
    def points(self) -> float:
        share = float(self.verdict == "passed") if self.share is None else self.share
        return round(share * self.max_points, 6)

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {"level": self.level, "points": self.points, "seconds": round(self.seconds, 3)}
        values["share"] = float(self.verdict == "passed") if self.share is None else self.share
        return values | {"measurements": {k: exact(v) for k, v in self.measurements.items()}}


def award(check: Check, bands: Bands | None) -> None:
    """Fill in the share of the points that a judged check earns. Only its own value earns a part of them."""
    check.share = check.band = None
    if bands and check.verdict in ("passed", "failed"):
        check.share, check.band = bands.award(check.verdict == "passed", check.measurements)


def final_points(results: dict[str, Any]) -> float:
    """The score with a person's adjustments, at least 0; the checks' points are the score, and stay what they are."""
    return max(0.0, round(results["score"] + sum(each["points"] for each in results.get("adjustments", [])), 6))


# characters that are kept of each text in a result: most of them may come from a submission
MAX_LENGTH = {"message": 1000, "hint": 2000, "location": 200, "trace": 20_000, "output": 64 << 10}
LONG, MANY = 500, 100  # characters of a text, and entries of a list, among measurements and information


def cut(text: str, longest: int = LONG) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@dataclass
class Results:
    submission: Path
    environment: dict[str, Any]
    checks: list[Check]
    information: dict[str, Any] = field(default_factory=dict)  # earns no points: parameters, step time, BatchNorm
    sha256: dict[str, str] = field(default_factory=dict)  # of the files judged
    weights: dict[str, dict[str, Any]] = field(default_factory=dict)  # configuration → where its weights came from
    figures: list[dict[str, str]] = field(default_factory=list)  # file beside results.json, title, alt text
    trainings: list[dict[str, Any]] = field(default_factory=list)  # by the course: state, minutes, epochs
    adjustments: list[dict[str, Any]] = field(default_factory=list)  # by a person: points, to be added, and the reason

    @property
    def score(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def max_score(self) -> float:
        return sum(check.max_points for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "submission": {"path": str(self.submission), "sha256": self.sha256},
            "environment": self.environment,
            "weights": {name: {k: exact(v) for k, v in of.items()} for name, of in self.weights.items()},
            "score": round(self.score, 6),
            "max_score": round(self.max_score, 6),
            "checks": [check.to_json() for check in self.checks],
            "information": {k: exact(v) for k, v in self.information.items()},
            "figures": self.figures,
            "trainings": [{k: exact(v) for k, v in each.items()} for each in self.trainings],
            "adjustments": self.adjustments,
        }

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            text = json.dumps(self.to_json(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
            temporary.write_bytes(text.encode("utf-8", "replace"))


def exact(value: Any) -> Any:
    """A value as JSON can hold it: no NaN. Not rounded, so that a limit can be decided again from what was measured."""
    if isinstance(value, (list, tuple)):
        return [exact(v) for v in value[:MANY]]
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int) and value.bit_length() > 64:  # too long for readers of JSON
        return f"a number of {value.bit_length()} bits"
    return value if isinstance(value, (int, bool)) or value is None else cut(str(value))
