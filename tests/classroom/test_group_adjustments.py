"""A person's adjustments are of one student, also where a group has handed in one work; and options that stay."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from grader.__main__ import main
from tests.classroom.test_rescoring import grade, graders, hand_in, made_up, rows  # noqa: F401  fixtures

ROSTER = "student,ID,email,group\nBob Ng,102,b@x,G\nCleo,103,c@x,G\nDan,104,d@x,\nEve,105,e@x,\n"
ADJUSTED = (
    "student,points,reason\nBob Ng,-3,illness\nCleo,1,helped\nBob Ng,0.5,shared\nCleo,0.5,shared\nDan,2,by hand\n"
)


@pytest.fixture
def output(graders, tmp_path) -> Path:  # noqa: F811
    """Bob has handed in for Cleo, Eve for herself, and Dan nothing."""
    hand_in(tmp_path / "in", "Bob Ng", "Eve")
    (tmp_path / "roster.csv").write_text(ROSTER)
    (tmp_path / "adjustments.csv").write_text(ADJUSTED)
    more = ("--roster", str(tmp_path / "roster.csv"), "--adjustments", str(tmp_path / "adjustments.csv"))
    assert grade(tmp_path, *more) == 0
    return tmp_path / "out"


def export(output: Path, *words: object) -> int:
    return main(["export", str(output), *map(str, words)])


def test_each_of_a_group_has_their_own(output, tmp_path):
    finals = {row["student"]: row["final"] for row in rows(tmp_path)}
    assert finals == {"Bob Ng": "6.25", "Cleo": "10.25", "Dan": "2.0", "Eve": "8.75"}
    page = (output / "class.html").read_text()
    figures = dict(re.findall(r"<dt>(\w+)</dt><dd>([\d.]+)</dd>", page))
    assert figures == {"mean": "8.42", "median": "8.75", "least": "6.25", "most": "10.25", "of": "10"}
    report = (output / "students" / "Bob Ng" / "report.html").read_text()  # which is Cleo's, too
    assert "shared" in report and "illness" not in report and "helped" not in report

    assert export(output, "--format", "feedback") == 0
    own = {}
    for file in (output / "feedback" / "students").glob("*.zip"):
        with zipfile.ZipFile(file) as archive:
            own[file.stem] = {name: archive.read(name).decode() for name in archive.namelist() if ".png" not in name}
    assert "illness" in own["Bob Ng"]["report.html"] and "helped" not in str(own["Bob Ng"])
    assert "helped" in own["Cleo"]["report.html"] and "illness" not in str(own["Cleo"])
    assert [each["points"] for each in json.loads(own["Cleo"]["results.json"])["adjustments"]] == [1, 0.5]
    assert "+2 points: by hand" in own["Dan"]["not graded.txt"]

    (tmp_path / "sheet.csv").write_text(
        "Identifier,Full name,Grade,Last modified (grade),Feedback comments\n"
        "Participant 1,Cleo,,,\nParticipant 2,Bob Ng,,,\nParticipant 3,Dan,,,\n"
    )
    assert export(output, "--format", "moodle", "--roster", tmp_path / "sheet.csv") == 0
    cleo, bob, dan = (output / "moodle.csv").read_text().splitlines()[1:]
    assert "10.25" in cleo and cleo.endswith("adjustments: +1.5 points")
    assert "6.25" in bob and bob.endswith("adjustments: -2.5 points")
    assert dan.endswith("adjustments: +2 points")


def test_any_of_a_group_can_be_graded_again(output, graders, tmp_path, capsys):  # noqa: F811
    for name in ("Cleo", "Bob Ng", "103"):
        graders.clear()
        assert grade(tmp_path, "--again", name, "--dry-run") == 0
        said = capsys.readouterr().out
        assert "1 would be graded" in said and ", 1 is graded with the rest of a group\n" in said
        assert grade(tmp_path, "--again", name) == 0
        assert graders == ["Bob Ng"]


def test_the_roster_that_was_given_last_is_used_again(output, tmp_path, capsys):
    before = (output / "class.csv").read_bytes()
    assert grade(tmp_path) == 0
    assert "roster: the one that was given last" in capsys.readouterr().err
    assert (output / "class.csv").read_bytes() == before


def test_what_is_left_of_a_student_who_is_called_otherwise_now_is_told(output, tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(ROSTER.replace("Eve,105", "Eve Right,105"))
    (tmp_path / "in" / "Eve").rename(tmp_path / "in" / "Eve Right")
    (output / "adjustments.csv").unlink()
    assert grade(tmp_path, "--roster", str(tmp_path / "roster.csv")) == 0
    assert "of nobody who is listed now, and left as it was: students/Eve\n" in capsys.readouterr().err


def test_other_options_are_named_with_their_values(output, tmp_path, capsys):
    words = ["class", str(tmp_path / "in"), "--output", str(output)]
    assert main([*words, "--level", "1", "runtime.device=cpu"]) == 2
    assert "was graded with --level 4 --config" in (err := capsys.readouterr().err) and "now it is --level 1;" in err


def test_results_of_a_grading_that_was_stopped_are_not_given_out(output, tmp_path, capsys):
    file = output / "students" / "Eve" / "results.json"
    page = json.loads(file.read_text())
    for key in ("points", "max_points"):  # rescored, and killed before the tables
        page["checks"][0][key] += 1
    file.write_text(json.dumps(page | {"score": page["score"] + 1, "max_score": page["max_score"] + 1}))
    for words in (["canvas"], ["moodle"], ["points"], ["feedback"]):
        assert export(output, "--format", *words) == 2
        err = capsys.readouterr().err
        assert "9.75 points, and students.json of the class says 8.75" in err and err.count("\n") == 1
        assert "run `class` with the same options again, which repeats nothing" in err
    file.unlink()  # set aside, to be graded again
    assert export(output, "--format", "points") == 2
    assert "run `class` with the same options again" in capsys.readouterr().err


def test_an_export_overwrites_nothing_that_is_needed(output, tmp_path, capsys):
    book = output / "canvas.csv"
    book.write_text("Student,ID,Section,HW (1)\n  Points Possible,,,10\nEve,105,1,\n")
    assert export(output, "--format", "canvas", "--roster", book) == 2
    assert "that is the --roster, which stays as it is" in capsys.readouterr().err
    for name in ("students.json", "roster.csv", "class.csv", "class.json", "adjustments.csv"):
        assert export(output, "--format", "points", "--output", output / name) == 2
        assert "a file of the class's own; expected another one" in capsys.readouterr().err
