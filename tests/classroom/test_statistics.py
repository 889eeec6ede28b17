"""Statistics of a class, and what of its points nobody has judged."""

from dataclasses import replace

import pytest

from grader.classroom.hand_ins import HandedIn
from grader.classroom.outcome import ClassOutcome
from grader.classroom.page import histogram, remark, warning
from grader.classroom.statistics import CheckStatistics, by_check, identical, mistakes, scores, unjudged
from grader.classroom.tables import similar_files, students
from grader.similarity.given import starters
from grader.submission.handed_in import Taken
from grader.submission.sources import sha256


def results(model: str, **verdicts: str) -> dict:
    checks = [
        {"id": f"level1.{name}", "claim": name, "level": 1, "verdict": verdict.split(":")[0],
         "points": float(verdict == "passed"), "max_points": 1.0, "message": verdict.partition(":")[2]}
        for name, verdict in verdicts.items()
    ]  # fmt: skip
    score = sum(check["points"] for check in checks)
    return {
        "checks": checks,
        "score": score,
        "max_score": 3.0,
        "submission": {"path": "/x", "sha256": {"model.py": model}},
    }


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


def test_what_a_person_added_counts_in_the_scores():
    adjusted = CLASS | {"ann": CLASS["ann"] | {"adjustments": [{"points": 1.5, "reason": "oral exam"}]}}
    assert scores(adjusted)["most"] == 3.5 and scores(adjusted)["least"] == 2.0
    assert sum(count for _, _, count, _ in histogram(adjusted)) == len(CLASS)
    assert [count for lower, _, count, _ in histogram(adjusted) if lower == 90] == [1]  # of 3 points, and above


def test_mistakes_that_differ_in_numbers_only_are_one():
    first, second = mistakes(CLASS)
    assert first.students == ("ann", "bob") and first.says == "expected 1, got 0.25"
    assert second.students == ("cid",)


def test_identical_files_are_found():
    assert identical(CLASS) == [("model.py", ("bob", "cid"))]


# ---- points that nobody has judged

NO_WEIGHTS = "there are no weights in outputs/digits-student: train first"


def trained(*verdicts: str) -> dict:
    """Results of level 1: a check of the network, of its weights, and one that builds on these."""
    names = ("level1.contract.builds", "level1.trained.weights", "level1.samples.sound")
    checks = [
        {"id": name, "claim": name, "level": 1, "verdict": verdict.split(":")[0], "points": float(verdict == "passed"),
         "max_points": 1.0, "message": verdict.partition(":")[2]}
        for name, verdict in zip(names, verdicts, strict=True)
    ]  # fmt: skip
    return {
        "checks": checks, "score": sum(c["points"] for c in checks), "max_score": 3.0,
        "submission": {"path": "/x", "sha256": {}},
    }  # fmt: skip


UNTRAINED = trained("passed", f"not_judged:{NO_WEIGHTS}", f"not_judged:waits for trained.weights: {NO_WEIGHTS}")
BROKEN = trained("failed:no", f"not_judged:{NO_WEIGHTS}", "not_judged:waits for the contract: no")
WHOLE = trained("passed", "passed", "failed:no")


def test_a_perfect_student_without_weights_is_no_student_with_half_the_points():
    graded = {"ann": UNTRAINED, "bob": UNTRAINED}
    assert warning(graded) == (
        "2 of 3 points could not be judged for 2 of 2 students, as there are no trained weights of theirs: "
        "have them handed in (`make submit`), grade with --train, or read scores without them"
    )
    assert [(each.why, each.points, each.students) for each in unjudged(graded)] == [
        (NO_WEIGHTS, 4.0, {"ann": 2.0, "bob": 2.0})
    ]


def test_why_points_were_not_judged_is_told_by_its_root():
    graded = {"ann": UNTRAINED, "bob": BROKEN, "cid": WHOLE}
    first, second = unjudged(graded)
    assert (first.why, first.students) == (NO_WEIGHTS, {"ann": 2.0, "bob": 1.0})
    assert second.why == "other checks, which these build on, have failed" and second.students == {"bob": 1.0}
    assert warning(graded) == f"1 to 2 of 3 points could not be judged for 2 of 3 students: {NO_WEIGHTS}"
    assert unjudged({"cid": WHOLE}) == [] and warning({"cid": WHOLE}) == warning({}) == ""


def test_what_a_failed_check_has_cost_is_no_reason_to_warn():
    failed = trained("failed:no", "failed:no", "not_judged:waits for trained.weights: no")
    assert [each.why for each in unjudged({"ann": failed})] == ["other checks, which these build on, have failed"]
    assert warning({"ann": failed}) == ""


def test_the_grade_book_has_points_got_judged_and_not_judged():
    handed_in = [
        HandedIn("ann", remark="not in the roster"),
        HandedIn("cid"),
        HandedIn("eve", problem="nothing handed in"),
    ]
    taken = {"ann": Taken({"model.py": b""}, {"model.py": "ann.zip/Model.py"}, "there is no sampler.py")}
    graded = {"ann": UNTRAINED, "cid": WHOLE}
    header, ann, cid, eve = students(ClassOutcome(handed_in, graded, {"eve": "nothing handed in"}, taken))
    rows = [dict(zip(header, row, strict=True)) for row in (ann, cid, eve)]
    assert [row["score"] for row in rows] == [1.0, 2.0, ""]
    assert [row["judged"] for row in rows] == [1.0, 3.0, ""] and [row["not_judged"] for row in rows] == [2.0, 0.0, ""]
    assert all(rows[k]["judged"] + rows[k]["not_judged"] == rows[k]["max_score"] == 3.0 for k in (0, 1))
    assert [(r["level1"], r["level1_judged"], r["level1_not_judged"]) for r in rows[:2]] == [
        (1.0, 1.0, 2.0),
        (2.0, 3.0, 0.0),
    ]
    assert (rows[0]["files"], rows[0]["remark"]) == ("ann.zip/Model.py", "not in the roster; there is no sampler.py")
    assert rows[2]["problem"] == "nothing handed in"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("expected (4, 1, 8, 8), got (4, 8, 8)", "expected (2, 3, 28, 28), got (2, 84)", True),
        ("answers at t = 3 differ", "answers at t = 3, 17 and 19 differ", True),
        ("1 value is wrong", "12 values is wrong", True),
        ("the loss is 0.31", "the loss is nan", True),
        ("in a/model.py, line 3", "in b/c/model.py, line 17", True),
        ("the loss is 0.31", "the mean is 0.31", False),
        ("answers at t = 3 differ", "answers at x = 3 differ", False),
    ],
)
def test_messages_that_differ_in_numbers_are_one_mistake(one, other, same):
    graded = {who: results(who, some=f"failed:{says}") for who, says in (("ann", one), ("bob", other))}
    assert len(mistakes(graded)) == (1 if same else 2)


def test_starters_that_nobody_has_touched_are_no_identical_files():
    graded = {who: results("own") for who in ("ann", "bob")}
    for each in graded.values():
        each["submission"]["sha256"]["sampler.py"] = sha256(starters())["sampler.py"]
    assert identical(graded) == [("model.py", ("ann", "bob"))]
    assert list(similar_files(identical(graded), []))[1:] == [["model.py", 1, "identical", "ann", "bob", "all", "all"]]


def test_few_students_say_nothing_about_a_check():
    row = CheckStatistics("level1.some.check", "Claim.", judged=9, passed=9, share=1, not_judged=0, discrimination=None)
    assert remark(row) == "" and remark(replace(row, judged=10, passed=10)) == "nearly all pass"


def test_the_rosters_columns_are_told_from_ours():
    about = {"score": "1", "Problem": "late", "student": "x", "level1": "a", "roster score": "2", "email": "e"}
    header, row = students(ClassOutcome([HandedIn("ann", about=about)], {"ann": WHOLE}))
    assert len({name.casefold() for name in header}) == len(header) == len(row)
    line = dict(zip(header, row, strict=True))
    assert line["score"] == 2.0 and line["problem"] == "" and line["email"] == "e" and line["roster Problem"] == "late"
    assert {line["roster score"], line["roster roster score"]} == {"1", "2"}
