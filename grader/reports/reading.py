"""results.json as every report gets it: read and valid, or one line for each error in it."""

import json
import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import UserError
from grader.errors import file_meant
from grader.results import SCHEMA, VERDICTS, Check, Results

KINDS = {str: "a text", int: "a whole number", float: "a number from 0 to 10⁹", dict: "an object", list: "a list"}
TOP = {
    "submission": dict, "environment": dict, "score": float, "max_score": float, "checks": list, "information": dict,
    "figures": list, "adjustments": list, "weights": dict, "trainings": list,
}  # fmt: skip
CHECK = {
    "id": str, "level": int, "claim": str, "verdict": str, "points": float, "max_points": float, "message": str,
    "hint": str, "location": str, "seconds": float, "measurements": dict, "trace": str, "output": str,
}  # fmt: skip
LATER: dict[str, Any] = {"figures": [], "adjustments": [], "weights": {}, "trainings": []}  # the first have none
FIGURE = {"file": str, "title": str, "alt": str}
ROUNDING = 1e-5  # score and max_score are written with six decimals
LINES = 10


def load(path: Path) -> dict[str, Any]:
    """The results in a file. Raises UserError if it is not a valid results.json."""
    try:
        results = json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise UserError(f"{path}: not readable: {error.strerror}{file_meant(path, 'results.json')}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {' '.join(str(error).split())}") from error
    wrong = list(problems(results))
    if wrong:
        more = [f"and {len(wrong) - LINES} things more"] if len(wrong) > LINES else []
        raise UserError("\n".join(f"{path}: {line}" for line in wrong[:LINES] + more))
    return complete(results)


def complete(results: dict[str, Any]) -> dict[str, Any]:
    """Valid results with what the first ones of this version do not have."""
    checks = [{"share": float(check["verdict"] == "passed"), "band": None} | check for check in results["checks"]]
    return LATER | results | {"checks": checks}


def from_json(results: dict[str, Any]) -> Results:
    """The result model from which `results` was written."""
    checks: list[Check] = [
        _Recorded(values["points"], **{field.name: values[field.name] for field in fields(Check)})
        for values in results["checks"]
    ]
    submission = results["submission"]
    return Results(
        submission=Path(submission["path"]), environment=results["environment"], checks=checks,
        information=results["information"], sha256=submission["sha256"], figures=results.get("figures", []),
        adjustments=results.get("adjustments", []), weights=results.get("weights", {}),
        trainings=results.get("trainings", []),
    )  # fmt: skip


class _Recorded(Check):
    """With the points of the file, whatever the verdict."""

    def __init__(self, points: float, **values: Any) -> None:
        super().__init__(**values)
        self.recorded = points

    @property
    def points(self) -> float:
        return self.recorded


def problems(results: Any) -> Iterator[str]:
    """One line for each error in a file's content."""
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        found = results.get("schema") if isinstance(results, dict) else results
        yield f"schema: expected {SCHEMA!r}, got {reprlib.repr(found)}"
        return
    wrong = list(_kinds(LATER | results, "", TOP))
    if not wrong:
        wrong += _kinds(results["submission"], "submission.", {"path": str, "sha256": dict})
        wrong += _all_kinds(results["checks"], "checks", CHECK)
        wrong += _all_kinds(results.get("figures", []), "figures", FIGURE)
    for place, each in enumerate(results.get("figures", [])):
        if isinstance(each, dict) and not isinstance(each.get("caption", ""), str):  # the first ones have none
            wrong.append(f"figures[{place}].caption: expected a text, got {reprlib.repr(each['caption'])}")
    for place, each in enumerate(results.get("adjustments", [])):
        if not (isinstance(each, dict) and _is_number(each.get("points")) and isinstance(each.get("reason"), str)):
            wrong.append(f"adjustments[{place}]: expected points and a reason, got {reprlib.repr(each)}")
    yield from wrong or _contradictions(results)


def _all_kinds(values: list[Any], where: str, wanted: Mapping[str, type]) -> Iterator[str]:
    for place, value in enumerate(values):
        if isinstance(value, dict):
            yield from _kinds(value, f"{where}[{place}].", wanted)
        else:
            yield f"{where}[{place}]: expected an object, got {reprlib.repr(value)}"


def _kinds(value: dict[str, Any], where: str, wanted: Mapping[str, type]) -> Iterator[str]:
    for key, kind in wanted.items():
        if key not in value:
            yield f"{where}{key}: missing; expected {KINDS[kind]}"
        elif not _is(value[key], kind):
            yield f"{where}{key}: expected {KINDS[kind]}, got {reprlib.repr(value[key])}"


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return False
    return _is_number(value) and value >= 0 if kind is float else isinstance(value, kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e9


def _contradictions(results: dict[str, Any]) -> Iterator[str]:
    checks, seen = results["checks"], set()
    if not checks:
        yield "checks: expected at least one"
    for place, check in enumerate(checks):
        where, level = f"checks[{place}].", re.fullmatch(r"level([1-9][0-9]?)(\.[a-z0-9_]+)+", check["id"])
        if not level:
            yield f"{where}id: expected one like level1.contract.shapes, got {reprlib.repr(check['id'])}"
        elif check["level"] != int(level[1]):
            yield f"{where}level: expected {level[1]} as in its id, got {check['level']}"
        if check["id"] in seen:
            yield f"{where}id: {reprlib.repr(check['id'])} is there twice"
        seen.add(check["id"])
        if check["verdict"] not in VERDICTS:
            yield f"{where}verdict: expected one of {', '.join(VERDICTS)}, got {reprlib.repr(check['verdict'])}"
        band = check.get("band")
        if band is not None and not (isinstance(band, dict) and isinstance(band.get("says"), str)):
            yield f"{where}band: expected null, or an object with a text `says`, got {reprlib.repr(band)}"
        if check["points"] > check["max_points"]:
            yield f"{where}points: expected at most {check['max_points']}, got {check['points']}"
    for total, part in (("score", "points"), ("max_score", "max_points")):
        added = sum(check[part] for check in checks)
        if abs(results[total] - added) > ROUNDING:
            yield f"{total}: expected the sum of the checks' {part}, {added:g}, got {results[total]}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
