"""Statistics and tables of a class."""

import pytest

from grader.classroom.hand_ins import HandedIn
from grader.classroom.statistics import by_check, identical, mistakes, scores
from grader.classroom.tables import students


def results(model: str, **verdicts: str) -> dict:
    checks = [
        {"id": f"level1.{name}", "claim": name, "level": 1, "verdict": verdict.split(":")[0],
         "points": float(verdict == "passed"), "max_points": 1.0, "message": verdict.partition(":")[2]}
        for name, verdict in verdicts.items()
    ]  # fmt: skip
    score = sum(check["points"] for check in checks)
    return {"checks": checks, "score": score, "max_score": 3.0, "submission": {"sha256": {"model.py": model}}}


CLASS = {
    "ann": results("a", easy="passed", hard="passed", broken="failed:expected 1, got 0.25"),
    "bob": results("b", easy="passed", hard="passed", broken="failed:expected 1, got 0.5"),
    "cid": results("b", easy="passed", hard="failed:no", broken="passed"),
    "dan": results("d", easy="passed", hard="not_judged:waits", broken="passed"),
}


def test_difficulty_and_discrimination():
    easy, hard, broken = by_check(CLASS)
    assert (easy.difficulty, easy.discrimination) == (1.0, None)
    assert (hard.judged, hard.passed, hard.not_judged) == (3, 2, 1) and hard.difficulty == pytest.approx(2 / 3)
    assert broken.discrimination == pytest.approx(-1.0)  # those who pass it have fewer points elsewhere
    assert scores(CLASS) == {"mean": 2.0, "median": 2.0, "least": 2.0, "most": 2.0} and scores({}) == {}


def test_mistakes_that_differ_in_numbers_only_are_one():
    first, second = mistakes(CLASS)
    assert first.students == ("ann", "bob") and first.says == "expected 1, got 0.25"
    assert second.students == ("cid",)


def test_identical_files_are_found():
    assert identical(CLASS) == [("model.py", ("bob", "cid"))]


def test_the_rosters_columns_are_told_from_ours():
    about = {"score": "1", "Problem": "late", "student": "x", "level1": "a", "roster score": "2", "email": "e"}
    header, row = students([HandedIn("ann", about=about)], {}, {"ann": CLASS["ann"]}, {}, {})
    assert len({name.casefold() for name in header}) == len(header) == len(row)
    line = dict(zip(header, row, strict=True))
    assert line["score"] == 2.0 and line["problem"] == "" and line["email"] == "e" and line["roster Problem"] == "late"
    assert {line["roster score"], line["roster roster score"]} == {"1", "2"}
