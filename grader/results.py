"""The one result model, and its JSON (schema no-confusion-diffusion/results/v1)."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assignment.ddpm.files import replacing

SCHEMA = "no-confusion-diffusion/results/v1"
DID_NOT_RUN = "did not run"
VERDICTS = ("passed", "failed", "error", "timeout", "out_of_memory", "not_judged")


def level_of(check_id: str) -> int:
    """level1.timestep.uses_every_t → 1"""
    return int(check_id.partition(".")[0].removeprefix("level"))


def to_look_at(verdicts: Sequence[str]) -> list[int]:
    """Which checks a student should look at, in order: those that failed; else the first not judged."""
    failed = [i for i, verdict in enumerate(verdicts) if verdict not in ("passed", "not_judged")]
    return failed or [i for i, verdict in enumerate(verdicts) if verdict == "not_judged"][:1]


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

    @property
    def level(self) -> int:
        return level_of(self.id)

    @property
    def points(self) -> float:
        return self.max_points if self.verdict == "passed" else 0.0

    def to_json(self) -> dict[str, Any]:
        values = asdict(self) | {"level": self.level, "points": self.points, "seconds": round(self.seconds, 3)}
        return values | {"measurements": {k: _plain(v) for k, v in self.measurements.items()}}


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
            "weights": {name: {k: _plain(v) for k, v in of.items()} for name, of in self.weights.items()},
            "score": round(self.score, 6),
            "max_score": round(self.max_score, 6),
            "checks": [check.to_json() for check in self.checks],
            "information": {k: _plain(v) for k, v in self.information.items()},
            "figures": self.figures,
            "trainings": [{k: _plain(v) for k, v in each.items()} for each in self.trainings],
        }

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            text = json.dumps(self.to_json(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
            temporary.write_bytes(text.encode("utf-8", "replace"))


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: no NaN, rounded to four digits."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value[:MANY]]
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, float):
        short = float(f"{value:.4g}")  # the largest ones round to infinity
        return short if math.isfinite(short) else str(value)
    if isinstance(value, int) and value.bit_length() > 64:  # too long for readers of JSON
        return f"a number of {value.bit_length()} bits"
    return value if isinstance(value, (int, bool)) or value is None else cut(str(value))
