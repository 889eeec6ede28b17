"""Verdicts anew from stored numbers, by the code of a grading, where limits on samples or overfitting have moved."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

from grader.checks.denoises import decide_denoises
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.learning import check_overfits
from grader.checks.sample_claims import SampleClaims
from grader.grading_config import Samples
from grader.results import Check
from grader.suite import verdict

FOUND = {  # check → what it measured, and is stored
    "samples.fid": "fid", "samples.classes": "classes", "samples.recognizable": "confidence",
    "samples.clean": "damaged", "samples.new": "copies",
}  # fmt: skip
OF = {name: check for check, name in FOUND.items()} | {"damage": "samples.clean"}
OVERFITS = "training.overfits"


class NotStored(Exception):
    """A verdict needs a number that the grading had no reason to measure: grade these again."""


class StoredSamples(SampleClaims):
    """The samples of one level, as its checks have stored them: name without the level → check."""

    def __init__(self, checks: dict[str, Check], wanted: Samples) -> None:
        self.checks, self._wanted = checks, wanted

    def _stored(self, check: str, name: str) -> Any:
        found = self.checks[check].measurements if check in self.checks else {}
        if name not in found:
            raise NotStored
        return found[name]

    @property
    def wanted(self) -> Samples:
        return self._wanted

    @property
    def quality(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        """A number of the samples; only called for what is no attribute."""
        if name not in OF:
            raise AttributeError(name)
        return self._stored(OF[name], name)

    def of_real(self, name: str) -> float:
        return float(self._stored(OF[name], "of_real_images"))

    @property
    def reference_in_words(self) -> str:
        return str(self._stored("samples.fid", "of_reference"))

    @cached_property
    def denoising(self) -> dict[str, Any]:
        before = self.checks.get("samples.denoises")
        if before is None or before.verdict not in ("passed", "failed"):
            raise NotStored
        measured = before.measurements
        if "by_t" not in measured:  # it failed by something else
            raise CheckFailed(before.message, before.hint, **measured)
        found = decide_denoises(measured["by_t"], measured["rows"], measured["num_timesteps"], self._wanted.denoises)
        alone = {name: value for name, value in measured.items() if name.startswith("alone_")}
        if not alone:  # is asked only where the losses are low enough
            raise NotStored
        if not alone["alone_difference"] <= alone["alone_limit"]:
            raise CheckFailed(before.message, before.hint, **found, **alone)
        return found | alone

    @property
    def by_heart(self) -> dict[str, Any]:
        before = self.checks["samples.new"]
        known = ("known_by_heart", "least_part", "limit_of_known")
        if not all(name in before.measurements for name in known):  # is asked only where there are few copies
            raise NotStored
        found = {name: before.measurements[name] for name in known}
        if not found["known_by_heart"] <= found["limit_of_known"]:
            raise CheckFailed(before.message, before.hint, **found)
        return found


def decide_samples(checks: list[Check], wanted: Samples) -> set[str]:
    """Judge the claims about one level's samples by other limits; returns the ids of those to be graded again."""
    of = {check.id.partition(".")[2]: check for check in checks if ".samples." in check.id}
    stored = StoredSamples(of, wanted)
    claims: dict[str, Callable[[], dict[str, Any]]] = {
        "samples.denoises": lambda: stored.denoising,
        "samples.classes": stored.check_classes, "samples.recognizable": stored.check_confidence,
        "samples.clean": stored.check_clean, "samples.fid": stored.check_fid, "samples.new": stored.check_new,
    }  # fmt: skip
    decided: dict[str, Check] = {}
    again: set[str] = set()
    for name, claim in claims.items():
        if (check := of.get(name)) and _is_by_a_number(check, FOUND.get(name, "by_t")):
            try:
                decided[name] = _judged(check, claim)
            except NotStored:
                again.add(check.id)
    for name, check in decided.items():  # afterwards: each of them is judged from the numbers of all
        vars(of[name]).update(vars(check))
    return again


def decide_overfits(check: Check, share: float) -> bool:
    """Judge the overfit run by another share; returns whether it has to be repeated: it ends once it clearly passes."""
    found = check.measurements
    if not _is_by_a_number(check, "falling"):
        return False
    again = _judged(check, lambda: check_overfits(
        found["loss"], found["scaling_x_t"], share, found["steps"], falling=found["falling"], gentler=found["gentler"],
        times=found["times"], loss_with_all=found.get("loss_with_all", math.inf), reset=found.get("buffers", []),
    ))  # fmt: skip
    if check.verdict == "passed" and again.verdict == "failed":
        return True
    vars(check).update(vars(again))
    return False


def _is_by_a_number(check: Check, name: str) -> bool:
    return check.verdict in ("passed", "failed", "not_judged") and name in check.measurements


def _judged(check: Check, claim: Callable[[], dict[str, Any]]) -> Check:
    """The check with another verdict, and what is measured besides as it was."""
    anew = Check(**vars(check) | {"measurements": dict(check.measurements), "message": "", "hint": ""})
    try:
        anew.measurements |= claim()
    except (CheckFailed, NotJudged) as error:
        verdict.apply(anew, error, in_process=False)
    else:
        verdict.apply(anew, None, in_process=False)
    return anew
