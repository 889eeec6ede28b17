"""The grader judges some of each kind in the bank rightly; `make prove` takes all of it."""

from dataclasses import replace

import pytest

from tests.proof import prove
from tests.proof.bank import read
from tests.proof.gradings import in_parallel
from tests.support.everything import IN_CI

EVERY = 56


@pytest.mark.skipif(IN_CI, reason="`make prove` takes all of it")
def test_some_of_the_bank_is_judged_rightly():
    found = prove.chosen("")[::EVERY]
    graded = {result["name"]: result for result in in_parallel([(entry.name, 0) for entry in found], "data")}
    assert len(graded) == len(found) > 6
    assert {(entry.right, entry.level) for entry in found} >= {(True, 1), (False, 1), (True, 4), (False, 4)}
    assert [line for entry in found for line in prove.problems(entry, graded[entry.name])] == []


def checks(**verdicts: str) -> dict:
    said = {"message": "as it is", "hint": ""}
    return {"checks": {name: {"verdict": verdict} | said for name, verdict in verdicts.items()}}


def entry(tmp_path, side: str, docstring: str):
    file = tmp_path / side / "networks" / "some.py"
    file.parent.mkdir(parents=True)
    file.write_text(f'"""{docstring}"""\n')
    return file


def test_the_proof_can_fail(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.proof.bank.BANK", tmp_path)
    right = read(entry(tmp_path, "right", "Right."))
    wrong = read(entry(tmp_path, "wrong", "Wrong.\n\nCaught by: b\n"))
    assert prove.problems(right, checks(a="passed", b="passed")) == []
    for verdict in ("failed", "error", "timeout", "not_judged"):
        assert "is right, but b: as it is" in prove.problems(right, checks(a="passed", b=verdict))[0]
    assert prove.problems(wrong, checks(a="passed", b="failed")) == []
    assert "by nothing" in prove.problems(wrong, checks(a="passed", b="passed"))[0]
    assert "not caught by b" in prove.problems(wrong, checks(a="failed", b="not_judged"))[0]
    assert "not caught by b" in prove.problems(wrong, checks(a="failed"))[0]
    told = checks(b="failed", c="not_judged")
    told["checks"]["c"]["message"] = "waits for d: as it is"
    hinting = replace(wrong, hint="look here", waits=(("c", "d"),))
    told["checks"]["b"]["hint"] = "look here, please"
    assert prove.problems(hinting, told) == []
    assert "is not told: look there" in prove.problems(replace(hinting, hint="look there"), told)[0]
    assert "c does not wait for e" in prove.problems(replace(hinting, waits=(("c", "e"),)), told)[0]
    assert "the grader itself failed" in prove.problems(wrong, {"fault": "ours"})[0]


@pytest.mark.parametrize(("side", "docstring"), [("right", "Right.\n\nCaught by: b\n"), ("wrong", "Wrong.")])
def test_a_submission_that_does_not_say_what_it_is_is_refused(tmp_path, side, docstring):
    with pytest.raises(AssertionError, match="Caught by"):
        read(entry(tmp_path, side, docstring))
