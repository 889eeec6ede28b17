"""A rescoring decides what a grading by the other limits decides, or names what has to be graded again."""

import copy
import json
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from grader import __version__, grading_config
from grader.check_ids import check_ids
from grader.checks.denoises import decide_denoises
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.sample_claims import SampleClaims
from grader.grading_config import GRADING, Budget, Samples, grading_digest, load_grading
from grader.rescoring import changes
from grader.rescoring.changes import About, flat, is_decided, to_grade_again
from grader.rescoring.rescore import Rescored, Rescorer
from grader.results import Check, Results, award
from grader.suite import verdict
from tests.conftest import ROOT

DIGITS = ROOT / "configs" / "digits.yaml"
GOOD = {"fid": 10.0, "classes": [0.1] * 10, "confidence": 0.7, "damaged": 0.2, "copies": 0.02, "by_t": [0.9] * 4}
BAD = {"fid": 50.0, "classes": [0.4, 0.1, *[0.0625] * 8], "confidence": 0.4, "damaged": 0.8, "copies": 0.25}
OF_REAL = {"fid": 2.6, "confidence": 0.87, "damaged": 0.01, "copies": 0.09}


class Measured(SampleClaims):
    """Samples as a grading has just measured them."""

    def __init__(self, found: dict[str, Any], wanted: Samples) -> None:
        self.found, self._wanted = found, wanted
        self.quality = SimpleNamespace(**found, damage="noise")

    quality: Any = None

    @property
    def wanted(self) -> Samples:
        return self._wanted

    def of_real(self, name: str) -> float:
        return OF_REAL[name]

    @property
    def reference_in_words(self) -> str:
        return "3.4"

    @property
    def denoising(self) -> dict[str, Any]:
        found = decide_denoises(self.found["by_t"], 800, 1000, self._wanted.denoises)
        alone = {"alone_difference": self.found.get("alone", 0.0), "alone_limit": 0.01}
        if alone["alone_difference"] > alone["alone_limit"]:
            raise CheckFailed("expected the same answers alone", "a hint", **found, **alone)
        return found | alone

    @property
    def by_heart(self) -> dict[str, Any]:
        known = {"known_by_heart": self.found.get("known", 0), "least_part": 0.4, "limit_of_known": 3}
        if known["known_by_heart"] > 3:
            raise CheckFailed("expected nothing by heart", "a hint", **known)
        return known


def graded(found: dict[str, Any], grading: grading_config.Grading) -> dict[str, Any]:
    """results.json of level 1's samples on the digits, as the tests of the level write it."""
    samples = Measured(found, grading.samples["digits"])
    claims = {
        "denoises": lambda: samples.denoising, "classes": samples.check_classes,
        "recognizable": samples.check_confidence, "clean": samples.check_clean, "fid": samples.check_fid,
        "new": samples.check_new,
    }  # fmt: skip
    bands = grading.bands_of([1], DIGITS)
    checks = []
    for name, claim in claims.items():
        check = Check(f"level1.samples.{name}", "A claim.", grading.points[f"level1.samples.{name}"])
        try:
            check.measurements |= claim()
            verdict.apply(check, None, in_process=False)
        except (CheckFailed, NotJudged) as error:
            verdict.apply(check, error, in_process=False)
        award(check, bands.get(check.id))
        checks.append(check)
    environment = {"grader": __version__, "grading": grading_digest(), "device": "cpu"}
    return json.loads(json.dumps(Results(Path("x"), environment, checks).to_json(), allow_nan=False))


IDS = {f"level1.samples.{name}" for name in ("denoises", "classes", "recognizable", "clean", "fid", "new")}


@pytest.fixture(autouse=True)
def earlier(tmp_path):
    """The shipped grading.yaml is among those of a class's history."""
    (tmp_path / f"{grading_digest()}.yaml").write_bytes(GRADING.read_bytes())


def rescored(results: dict[str, Any], tmp_path: Path, ids: set[str] = IDS):
    return Rescorer(tmp_path, [1], DIGITS, [], ids).rescore(results)


LIMITS = {  # stricter, looser, and one that separates good from bad samples
    "above_real": (5.0, 200.0, 30.0), "confidence": (0.9, 0.1, 0.7), "rarest_class": (0.2, 0.0, 0.08),
    "commonest_class": (0.05, 0.9, 0.35), "missing_classes": (0, 9, 2), "damaged": (0.1, 0.9, 0.5),
    "classes": (9, 12, 26), "copies": (0.01, 0.9, 0.1), "denoises": ([0.5] * 4, [9.0] * 4, [0.5, 0.5, 9.0, 9.0]),
}  # fmt: skip
SETS = {
    "good": GOOD, "bad": BAD | {"by_t": [0.9] * 4}, "no denoiser": GOOD | {"by_t": [2.0, 0.9, 0.9, 0.9]},
    "neither": BAD | {"by_t": [2.0, 0.9, 0.9, 0.9]}, "by heart": GOOD | {"known": 4},
    "in company": GOOD | {"alone": 0.5},
}  # fmt: skip


def test_every_limit_on_samples_is_tried():
    assert LIMITS.keys() == {each.name for each in fields(Samples)} - {"cpu", "gpu"}  # classes are for bands


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, of in LIMITS.items() for value in of], ids=str)
def test_a_limit_decides_as_in_a_grading(key, value, edit, tmp_path):
    grading = load_grading()
    before = {name: graded(found, grading) for name, found in SETS.items()}
    kept = copy.deepcopy(before)

    def change(values: dict[str, Any]) -> None:
        values["samples"]["digits"][key] = value
        values["bands"] = {"digits": {"samples.fid": {250: 0.5}, "samples.classes": {0.5: 0.25}}}

    edit(change)
    grading, rescorer = load_grading(), Rescorer(tmp_path, [1], DIGITS, [], IDS)
    for name, found in SETS.items():
        compare(rescorer.rescore(before[name]), graded(found, grading), (name, key))
    assert before == kept


def compare(found: Rescored, expected: dict[str, Any], which: tuple[str, str]) -> None:
    now = {check["id"]: check for check in found.results.to_json()["checks"]}
    for check in expected["checks"]:
        if check["id"] not in found.again:
            same = ("verdict", "points", "message", "hint", "share", "band", "max_points")
            assert {k: now[check["id"]][k] for k in same} == {k: check[k] for k in same}, which
            assert check["measurements"].items() <= now[check["id"]]["measurements"].items(), which
    assert len(found.again) in (0, 1, 6), "one number that was not measured, or no denoiser until now"
    if found.again:
        assert which in {
            ("no denoiser", "denoises"), ("neither", "denoises"), ("bad", "copies"), ("neither", "copies"),
        }  # fmt: skip


def test_points_and_bands_are_computed_and_nothing_is_graded(edit, tmp_path):
    before = graded(BAD | {"by_t": [0.9] * 4}, load_grading())

    def change(values: dict[str, Any]) -> None:
        values["points"]["level1.samples.fid"] = 4
        values["bands"]["digits"]["samples.fid"] = {60: 0.25}

    edit(change)
    found = rescored(before, tmp_path)
    (fid,) = (check for check in found.results.checks if check.id == "level1.samples.fid")
    assert not found.again and (fid.verdict, fid.points, fid.max_points) == ("failed", 1.0, 4)
    assert found.results.environment["grading"] == grading_digest()


def test_what_does_not_depend_on_a_limit_stays(edit, tmp_path):
    before = graded(GOOD, load_grading())
    for check, was in zip(before["checks"], ("timeout", "error", "not_judged", "out_of_memory", "failed", "failed"),
                          strict=True):  # fmt: skip
        check |= {"verdict": was, "message": "for another reason", "measurements": {}}
    edit(lambda values: values["samples"]["digits"].update(above_real=30, copies=0.5, confidence=0.5))
    found = rescored(before, tmp_path)
    assert {check.message for check in found.results.checks} == {"for another reason"} and not found.again


def test_results_by_an_unknown_grading_are_graded_anew(edit, tmp_path):
    before = graded(GOOD, load_grading())
    del before["environment"]["grading"]
    assert rescored(before, tmp_path).again == IDS
    other = graded(GOOD, load_grading())
    other["environment"]["grader"] = "0.0.1"
    assert rescored(other, tmp_path).again == IDS


def test_new_checks_are_graded_and_old_ones_left_out(tmp_path):
    before = graded(GOOD, load_grading())
    found = rescored(before, tmp_path, IDS - {"level1.samples.new"} | {"level1.own_work"})
    assert found.again == {"level1.own_work"}
    assert {check.id for check in found.results.checks} == IDS - {"level1.samples.new"}


def overfit(loss: float, share: float) -> dict[str, Any]:
    from grader.checks.learning import check_overfits

    check = Check("level1.training.overfits", "A claim.", 0.75)
    try:
        check.measurements |= check_overfits(loss, 1.0, share, 300, falling=True, times=3.0)
        verdict.apply(check, None, in_process=False)
    except CheckFailed as error:
        verdict.apply(check, error, in_process=False)
    environment = {"grader": __version__, "grading": grading_digest(), "device": "cpu"}
    return json.loads(json.dumps(Results(Path("x"), environment, [check]).to_json()))


@pytest.mark.parametrize(
    ("loss", "share", "again"), [(0.5, 0.8, False), (0.85, 0.8, True), (0.95, 0.99, False), (0.95, 0.8, False)]
)
def test_the_overfit_run_is_repeated_only_where_it_ended_early(loss, share, again, edit, tmp_path):
    before = overfit(loss, load_grading().overfit["cpu"].share)
    edit(lambda values: values["overfit"]["cpu"].update(share=share))
    found = rescored(before, tmp_path, {"level1.training.overfits"})
    assert bool(found.again) == again
    if not again:
        (expected,) = overfit(loss, share)["checks"]
        now = found.results.checks[0]
        assert (now.verdict, now.message, now.hint) == tuple(expected[k] for k in ("verdict", "message", "hint"))


# ---- what has to be graded again


def listed(*verdicts: tuple[str, str]) -> list[dict[str, Any]]:
    says = {"not_judged": "waits for another"}
    return [
        {"id": name, "level": int(name[5]), "verdict": verdict, "message": says.get(verdict, "")}
        for name, verdict in verdicts
    ]


ALL = [(name, "passed") for name in check_ids()]
ABOUT = About({1: "digits", 2: "digits", 3: "cifar10", 4: "digits", 5: "digits", 6: "digits"}, "cpu")


def again(key: str, old: Any, new: Any, *verdicts: tuple[str, str]) -> set[str]:
    return to_grade_again({key: (old, new)}, listed(*(verdicts or ALL)), ABOUT)


def test_what_has_no_stored_number_is_graded_again():
    samples = {
        name for name in check_ids() if name.startswith(("level1.samples.", "level5.samples.", "level6.samples."))
    }
    assert again("samples.digits.cpu.images", 256, 512) == samples
    assert again("samples.digits.gpu.images", 256, 512) == set() == again("samples.fashion_mnist.cpu.images", 1, 2)
    assert again("samples.cifar10.cpu.steps", 25, 50) == {n for n in check_ids() if n.startswith("level3.samples.")}
    assert again("samples.digits.copies", 0.2, 0.3) == set()
    assert again("samples.digits.copies", None, 0.3) > samples  # a data set that was not there
    assert len(again("overfit.cpu.steps", 300, 400)) == 4 and again("overfit.gpu.steps", 300, 400) == set()
    assert again("overfit.cpu.share", 0.9, 0.8) == set()
    for nothing in ("training.minutes", "points.level1.own_work", "bands.digits.samples.fid.20"):
        assert again(nothing, 1, 2) == set()
    assert again("a_new_section.of_somebody", 1, 2) == set(check_ids())


def test_more_time_or_memory_can_only_help_who_ran_out_of_it():
    some = ("level1.own_work", "passed"), ("level1.contract.builds", "timeout"), ("level1.batch.order", "not_judged")
    other = ("level4.own_work", "not_judged"), ("level4.step.mean", "failed")
    assert again("time.check", 60, 90, *some, *other) == {"level1.contract.builds", "level1.batch.order"}
    assert again("limits.memory_gib", 16, 8, *some, *other) == {name for name, _ in (*some, *other)}


def test_every_key_of_the_file_has_its_effect():
    """A new section needs a rule in changes.py: until then its changes have everything graded again."""
    for key in flat(OmegaConf.to_container(OmegaConf.load(GRADING))):
        section, *rest = key.split(".")
        assert section in ("points", "bands", "limits", "time", "training", "overfit", "samples", "weights"), key
        if section == "samples":
            assert is_decided(key) or rest[1] in ("cpu", "gpu"), key
    assert {each.name for each in fields(Samples)} - {"cpu", "gpu", "classes"} == set(changes.LIMITS.split("|"))
    assert {each.name for each in fields(Budget)} >= {"share"}


def test_rules_for_weights_concern_what_was_trained():
    checks = listed(("level1.trained.weights", "passed"), ("level1.contract.builds", "passed"))
    about = About({1: "digits"}, "cpu")
    assert to_grade_again({"weights.changed_code": ("judge", "refuse")}, checks, about) == {"level1.trained.weights"}
    assert to_grade_again({"weights.mib": (96, 10)}, checks, about) == set()


def test_the_level_of_losses_is_graded_again_where_the_reference_is_an_opponent_no_longer(edit, tmp_path):
    """Its own samples have to pass the limit on FID."""
    before = graded(GOOD, load_grading())
    loss = {"id": "level2.loss.beats_reference", "level": 2, "claim": "x", "verdict": "failed", "message": "",
            "max_points": 4.5, "points": 0.0, "seconds": 0, "hint": "", "location": "", "measurements": {}, "trace": "",
            "output": ""}  # fmt: skip
    before["checks"].append(loss)
    edit(lambda values: values["samples"]["digits"].update(above_real=0.1))
    found = Rescorer(tmp_path, [1, 2], DIGITS, [], IDS | {loss["id"]}).rescore(before)
    assert found.again == {loss["id"]}


def test_a_limit_of_another_data_set_moves_nothing(edit, tmp_path):
    before = graded(GOOD, load_grading())
    edit(lambda values: values["samples"]["cifar10"].update(above_real=0.1))
    found = rescored(before, tmp_path)
    assert not found.again and [check.verdict for check in found.results.checks] == ["passed"] * 6
    assert replace(load_grading().samples["cifar10"]).above_real == 0.1
