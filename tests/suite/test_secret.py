"""Level 2 with the course's secret, end to end: graded, replayed, and of no use to who knows how triples are drawn."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from grader.__main__ import main
from grader.classroom.audit import Audit
from grader.submission.seed import choose_seed
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS
from tests.proof.trained_attacks import (
    NAMES,
    claims,
    gained,
    grade,
    is_trained_by_the_course,
    untrained_weights,
    ways_here,
)  # fmt: skip
from tests.support.everything import left_to

LOSSES = ("level2.loss.beats_reference", "level2.loss.generalises")


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Path:
    """A folder with a submission that has learnt nothing, a secret, and the results."""
    folder = tmp_path_factory.mktemp("graded")
    (folder / "handed in").mkdir()
    shutil.copy(BANK / "trained" / "silent.py", folder / "handed in" / "model.py")
    weights = untrained_weights(folder / "handed in" / "model.py", folder / "run" / "weights.safetensors")
    (folder / "secret").write_bytes(os.urandom(32))
    (folder / "other").write_bytes(os.urandom(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        words = [f"--weights={weights}", "--config", str(DIGITS), "--output", str(folder / "out"), "runtime.device=cpu"]
        assert main([str(folder / "handed in"), "--level", "2", "--secret-seed", str(folder / "secret"), *words]) == 0
    return folder


def test_the_result_says_what_the_triples_follow_from_and_does_not_tell_it(graded):
    text = (graded / "out" / "results.json").read_text()
    results = json.loads(text)
    checks = {check["id"]: check for check in results["checks"]}
    assert checks[LOSSES[0]]["verdict"] == "failed"
    assert checks[LOSSES[0]]["measurements"]["triples_follow_from"] == "secret"
    assert "on triples that follow from the course's secret" in results["information"]["loss"]
    shared = choose_seed(graded / "handed in", None, str(graded / "secret")).shared
    assert shared.hex() not in text and str(int.from_bytes(shared, "big")) not in text
    assert results["environment"]["seed"] != int.from_bytes(shared[:8], "big") >> 1
    kept = list((graded / "cache" / "no-confusion-diffusion").glob("losses-*.safetensors"))
    assert len(kept) == 2 and not any(file.stat().st_mode & 0o111 for file in kept)  # and of new images


def test_it_is_replayed_with_the_secret_and_not_without(graded, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(graded / "cache"))
    words = ["replay", str(graded / "out" / "results.json"), str(graded / "handed in")]
    words += ["--weights", str(graded / "run" / "weights.safetensors")]
    assert main(words) == 2
    assert re.search(
        rf"{LOSSES[0]} was judged on triples that follow from a secret; .*--secret-seed", capsys.readouterr().err
    )
    assert main([*words, "--secret-seed", str(graded / "other")]) == 2
    assert "not the secret of this grading" in capsys.readouterr().err
    assert main([*words, "--check", "level2.trained.uses_t"]) == 0  # which needs none
    assert "every verdict stands (1 check)" in capsys.readouterr().out
    assert main([*words, "--secret-seed", str(graded / "secret")]) == 0
    assert "every verdict stands (4 checks)" in capsys.readouterr().out


def test_an_audit_of_a_class_has_the_secret(graded):
    assert Audit(None).words(graded)[-1] == str(graded / "audit.json")
    assert Audit(graded / "secret").words(graded)[-2:] == ["--secret-seed", str(graded / "secret")]


# ---- who wants points without having learnt anything


# what only a sandbox prevents: without one, a submission may read whatever its user can
OPEN = {"knows_the_digits", "searches_everywhere", "training_opens_the_test_file"}


@left_to("attacks")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_learnt_gains_nothing(name, tmp_path):
    verdict, check = claims(name)
    way = ways_here()[0]
    if way == "plain" and name in OPEN:
        pytest.skip("there is no sandbox here")
    checks = grade(name, way, tmp_path)
    assert gained(checks) == [] and checks[check]["verdict"] == verdict
    assert checks["level2.trained.weights"]["verdict"] == "passed"  # judged, not only rejected


@left_to("attacks")
def test_the_attack_works_where_the_seed_can_be_guessed(tmp_path):
    """So it's the secret that stops it."""
    checks = grade("guesses_the_seed", ways_here()[0], tmp_path, "--seed", "7")
    assert checks[LOSSES[0]]["verdict"] == "passed"
    assert checks[LOSSES[0]]["measurements"]["triples_follow_from"] == "seed"


def test_each_says_what_catches_it():
    assert {claims(name) for name in NAMES} == {("failed", LOSSES[0])}
    assert [name for name in NAMES if is_trained_by_the_course(name)] == ["training_opens_the_test_file"]
