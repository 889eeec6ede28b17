"""Which checks have to be graded again after a change of configs/grading.yaml, as no stored number decides them.

Points and bands are computed from what is stored, and so are verdicts by the limits in DECIDED: see decide.py. No
training is repeated.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from grader.check_ids import needs_training
from grader.results import WAITS

Check = dict[str, Any]  # as in results.json

LIMITS = "above_real|confidence|rarest_class|commonest_class|missing_classes|damaged|copies|denoises"  # on samples
DECIDED = (rf"samples\.\w+\.({LIMITS})", r"overfit\.(cpu|gpu)\.share")
# the last two are about trainings to come, and hand-ins, which are read again by every call
NOTHING = (r"points\..*", r"bands\..*", r"samples\.\w+\.classes", r"training\..*", r"weights\.mib")
ALLOWANCES = r"(limits|time)\..*"  # what a process may use: more of it can only help who ran into one
RAN_INTO = ("timeout", "out_of_memory", "error")
OVERFIT = r"level1\.training\.(overfits|needs_t|predicts_noise|not_squashed)"  # they look at one run


@dataclass(frozen=True)
class About:
    """What a submission was graded on."""

    data: dict[int, str]  # level → data set
    kind: str  # of device: cpu or gpu


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """{"samples": {"digits": {"copies": 0.2}}} → {"samples.digits.copies": 0.2}"""
    if not isinstance(values, dict) or not values:
        return {prefix: values}
    return {k: v for name, value in values.items() for k, v in flat(value, f"{prefix}.{name}".lstrip(".")).items()}


def changed(before: Path, now: Path) -> dict[str, tuple[Any, Any]]:
    """Key → the value in one file and in the other, None where it has none, for all that differ."""
    old, new = (flat(OmegaConf.to_container(OmegaConf.load(path))) for path in (before, now))
    keys = dict.fromkeys((*old, *new))
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def is_decided(key: str) -> bool:
    """Whether a stored number decides by this limit."""
    return any(re.fullmatch(pattern, key) for pattern in DECIDED)


def to_grade_again(changes: Mapping[str, tuple[Any, Any]], checks: Iterable[Check], about: About) -> set[str]:
    """The ids of the checks whose verdicts the changes may have changed, with nothing stored that says so."""
    found: set[str] = set()
    listed = list(checks)
    for key, (old, new) in changes.items():
        found |= {check["id"] for check in listed if _concerns(key, old, new, check, about, listed)}
    return found


def _concerns(key: str, old: Any, new: Any, check: Check, about: About, checks: list[Check]) -> bool:
    if any(re.fullmatch(pattern, key) for pattern in NOTHING):
        return False
    if key == "weights.changed_code":
        return needs_training(check["id"])
    section, part, *rest = [*key.split("."), ""]
    if re.fullmatch(ALLOWANCES, key):
        return not (_is_number(old) and _is_number(new) and new > old) or _ran_into_one(check, checks)
    if section == "overfit":
        is_there = old is not None and new is not None
        return part == about.kind and re.fullmatch(OVERFIT, check["id"]) is not None and not (
            is_decided(key) and is_there
        )  # fmt: skip
    if section == "samples":
        if about.data.get(check["level"]) != part:
            return False
        if old is None or new is None:  # a data set that was not there, or is not any more
            return ".samples." in check["id"] or ".loss." in check["id"]
        return not is_decided(key) and rest[0] == about.kind and ".samples." in check["id"]
    return True  # a section that nobody has thought of here


def _ran_into_one(check: Check, checks: list[Check]) -> bool:
    """Whether a check met a limit of the process, or waits for one on its level that did."""
    if check["verdict"] in RAN_INTO:
        return True
    level = {other["verdict"] for other in checks if other["level"] == check["level"]}
    return check["verdict"] == "not_judged" and check["message"].startswith(WAITS) and bool(level & set(RAN_INTO))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
