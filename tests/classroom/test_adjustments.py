"""Points that a person adds: in class.csv, on the page and in the report; what is wrong with them, in a line each."""

import csv
import json
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader.classroom.adjustments import Adjustment, adjusted, find_students, in_words, read_adjustments
from grader.classroom.hand_ins import HandedIn
from grader.classroom.roster import Row
from tests.classroom.test_rescoring import grade, graders, hand_in, rows  # noqa: F401  fixtures

CLASS = [
    HandedIn("Ann Lee", about={"ID": "007", "email": "ann@uni"}, folder="Ann Lee"),
    HandedIn("Ann Smith", about={"ID": "008"}, folder="Ann Smith"),
    HandedIn("bob", folder="bob-1a2b"),
    HandedIn("zoe", problem="nothing handed in", folder="zoe"),
    HandedIn("Roy, Bob", (Path("royb_117_5021_model.py"), Path("royb_117_5022_sampler.py")), folder="Roy, Bob"),
]


def typed(folder: Path, text: str) -> Path:
    (folder / "given.csv").write_text(text)
    return folder / "given.csv"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("student,points,reason\nAnn Lee,2,oral\n", {"Ann Lee": [(2, "oral")]}),
        ("Student,Points,Reason\nann lee,+2,oral\n", {"Ann Lee": [(2, "oral")]}),
        ('name;reason;points\n"Lee, Ann";"late, twice";-1,5\n', {"Ann Lee": [(-1.5, "late, twice")]}),
        ("ID,points,reason\n008,1,a\n7,1,b\n", {"Ann Smith": [(1, "a")], "Ann Lee": [(1, "b")]}),  # as Excel writes 007
        ("email,points,reason\nann@uni,0.25,x\n", {"Ann Lee": [(0.25, "x")]}),
        ("student,points,reason\nbob-1a2b,1,x\nbob,2,y\n", {"bob": [(1, "x"), (2, "y")]}),
        ("student,points,reason\nzoe,3,by mail\n", {"zoe": [(3, "by mail")]}),
        ("student,points,reason\nBob Roy,3,as people write it\n", {"Roy, Bob": [(3, None)]}),
        ("student,points,reason\nroyb_117,3,as Canvas calls it\n", {"Roy, Bob": [(3, None)]}),
        ("student,points,reason\nann lee,−1,minus as a word processor writes it\n", {"Ann Lee": [(-1, None)]}),
    ],
)
def test_students_are_found_as_with_a_roster(text, found, tmp_path):
    got = read_adjustments(typed(tmp_path, text), CLASS)
    assert got.keys() == found.keys()
    for student, made in found.items():
        assert [each.points for each in got[student]] == [points for points, _ in made]
        assert all(reason in (None, each.reason) for each, (_, reason) in zip(got[student], made, strict=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("student,points,reason\nAnn Lea,2,oral\n", ["Ann Lea: there is no such student; did you mean Ann Lee?"]),
        ("student,points,reason\nBob Rey,2,oral\n", ["Bob Rey: there is no such student; did you mean Roy, Bob?"]),
        ("student,points,reason\nAnn,2,oral\n", ["Ann: there is no such student"]),
        ("student,points,reason\nbob,,oral\n", ["bob: points: expected a number such as 2 or -1.5, got ''"]),
        ("student,points,reason\nbob,two,oral\n", ["bob: points: expected a number such as 2 or -1.5, got 'two'"]),
        ("student,points,reason\nbob,nan,oral\n", ["got 'nan'"]),
        ("student,points,reason\nbob,inf,oral\n", ["got 'inf'"]),
        ("student,points,reason\nbob,1e9,oral\n", ["got '1e9'"]),
        ("student,points,reason\nbob,1, \n", ["bob: reason: missing; the student will read it"]),
        ("student,points,reason\nbob,1,x\nbob,1,x\n", ["bob: 1 points for the same reason are there twice"]),
        ("student,points\nbob,1\n", ["expected columns student, points and reason; there is no reason"]),
        ("student,grade\nbob,1\n", ["there is no points and no reason"]),
        ("points,reason\n1,x\n", ["expected a column `student`, `name` or `ID`"]),
        ("student,points,reason\nx,1,a\nbob,b,c\nzoe,1,\n", ["x: there", "bob: points", "zoe: reason"]),
        ("", ["expected a column"]),
    ],
)
def test_what_is_wrong_is_told_a_line_each(text, says, tmp_path):
    file = typed(tmp_path, text)
    with pytest.raises(UserError) as raised:
        adjusted(tmp_path / "out", file, CLASS)
    lines = str(raised.value).split("\n")
    assert len(lines) == len(says) and all(part in line for part, line in zip(says, lines, strict=True))
    assert not (tmp_path / "out").exists(), "nothing of it is kept"


def test_two_of_one_name_are_told_apart_by_number():
    twins = [HandedIn("Li Wei", about={"ID": "1"}), HandedIn("Li Wei (2)", about={"ID": "2"})]
    assert find_students([Row("Li Wei (2)", (), {}), Row("2", (), {})], twins) == [twins[1], twins[1]]
    both = [HandedIn("a", about={"username": "x"}), HandedIn("b", about={"login": "x"})]
    assert find_students([Row("x", (), {})], both) == ["may be a or b: give a number, too"]


def test_adjustments_land_everywhere_and_outlive_reruns_and_rescoring(graders, edit, tmp_path, capsys):  # noqa: F811
    hand_in(tmp_path / "in", "ann", "bob")
    (tmp_path / "roster.csv").write_text("student\nann\nbob\nzoe\n")
    file = typed(tmp_path, "student,points,reason\nann,2,<b>oral</b>\nbob,-50,copied\nzoe,3,by mail\n")
    more = ("--roster", str(tmp_path / "roster.csv"))
    assert grade(tmp_path, *more, "--adjustments", str(file)) == 0
    file.unlink()

    def check(score: str, ann: str) -> None:
        found = {row["student"]: row for row in rows(tmp_path)}
        assert [(found[who]["score"], found[who]["adjustment"], found[who]["final"]) for who in found] == [
            (score, "2.0", ann), (score, "-50.0", "0.0"), ("", "3.0", "3.0"),
        ]  # fmt: skip
        assert found["ann"]["reason"] == "<b>oral</b>" and found["zoe"]["problem"] == "nothing handed in"
        page = (tmp_path / "out" / "class.html").read_text()
        assert "+2, &lt;b&gt;oral&lt;/b&gt;" in page and "<b>oral" not in page and "+3, by mail" in page
        report = (tmp_path / "out" / "students" / "ann" / "report.html").read_text()
        assert "Adjusted by the course" in report and "+2 points: &lt;b&gt;oral" in report
        assert f"with 2 more by adjustment: {float(ann):g}" in report

    check("8.75", "10.75")
    assert grade(tmp_path, *more) == 0
    check("8.75", "10.75")
    edit(lambda values: values["points"].update({"level4.end_to_end": 0.5}))
    assert grade(tmp_path, *more, "--rescore") == 0
    check("7.75", "9.75")
    assert grade(tmp_path, *more, "--again", "ann") == 0
    check("7.75", "9.75")

    (tmp_path / "out" / "adjustments.csv").unlink()  # as the documentation says
    assert grade(tmp_path, *more) == 0
    results = json.loads((tmp_path / "out" / "students" / "ann" / "results.json").read_text())
    assert results["adjustments"] == [] and {row["adjustment"] for row in rows(tmp_path)} == {""}
    assert "Adjusted" not in (tmp_path / "out" / "students" / "ann" / "report.html").read_text()


def test_a_wrong_file_of_adjustments_stops_the_call_before_work(graders, tmp_path, capsys):  # noqa: F811
    hand_in(tmp_path / "in", "ann")
    for more in ((), ("--dry-run",)):
        file = typed(tmp_path, "student,points,reason\neve,2,oral\n")
        assert grade(tmp_path, "--adjustments", str(file), *more) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "eve: there is no such student" in err and graders == []
    assert grade(tmp_path, "--adjustments", str(tmp_path / "nowhere.csv")) == 2


def test_the_kept_file_is_what_was_given(graders, tmp_path):  # noqa: F811
    hand_in(tmp_path / "in", "ann")
    file = typed(tmp_path, "student,points,reason\nann,2,oral\n")
    assert grade(tmp_path, "--adjustments", str(file)) == 0
    kept = tmp_path / "out" / "adjustments.csv"
    assert kept.read_bytes() == file.read_bytes()
    assert grade(tmp_path, "--adjustments", str(kept)) == 0
    with kept.open(newline="") as opened:
        assert len(list(csv.DictReader(opened))) == 1
    assert Adjustment(2.0, "oral").to_json() == {"points": 2.0, "reason": "oral"}


def test_points_that_add_up_are_told():
    made = {"ann": [Adjustment(2, "x"), Adjustment(1, "y")], "bob": [Adjustment(-1.5, "z")]}
    assert in_words(made) == "adjustments: 2 students, +1.5 points in all; they add up for ann (2 times)"
    assert in_words({"bob": [Adjustment(-1.5, "z")]}) == "adjustments: 1 student, -1.5 points in all"
