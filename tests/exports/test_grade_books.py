"""Grade books go back to their platforms as they came: by the rules of Canvas's and Moodle's own importers."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from grader.__main__ import main
from grader.exports.command import comment
from grader.exports.graded_class import GradedClass
from tests.support.hand_ins import BOTH
from tests.support.made_class import grade

CANVAS = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,HW 1 (77),DDPM (78),Current Score
,,,,,,Manual Posting,
    Points Possible,,,,,40,12,(read only)
"Lee, Ann",115,a115,alee,"S 1, late",11,,9
"Wu, Bob",12,=12,bwu,S 1,12,3,9
"Roy, Eve",13,e13,eroy,S 1,13,4.5,9
"""
SUBMITTED = {"leeann_115_5015_model.py": b"m1", "wubob_12_5017_model.py": b"m2"}
WORKSHEET = (
    'Identifier,"Full name","Email address",Status,Group,Grade,"Maximum Grade","Grade can be changed",'
    '"Last modified (submission)","Last modified (grade)","Feedback comments"\n'
    '"Participant 901","Ann Lee",ann@uni,Submitted,,,12.00,Yes,"Monday, 2 November 2026, 9:00 AM",-,\n'
    '"Participant 902","Bob Wu",bob@uni,Submitted,,7.00,12.00,Yes,-,-,"well done, Bob"\n'
    '"Participant 903","Eve Roy",eve@uni,"No submission",,3.00,12.00,Yes,-,-,\n'
)
MOODLE = {"Ann Lee_901_assignsubmission_file": BOTH, "Bob Wu_902_assignsubmission_file_": {"model.py": b"b"}}


def export(*words: object) -> int:
    return main(["export", *map(str, words)])


def canvas_takes(file: Path) -> dict[str, dict[str, str]]:
    """Student's ID → assignment → grade, or an AssertionError: what lib/gradebook_importer.rb asks of a file."""
    text = file.read_text(encoding="utf-8")
    rows = [row for row in csv.reader(io.StringIO(text)) if not re.fullmatch(r"[;, ]+", ",".join(row))]
    header = rows[0]
    assert "Student" in header[0] and "ID" in header[1] and len(header) > 3
    about = 3
    if header[2] == "SIS User ID" and header[3] == "SIS Login ID":
        about = 5
    elif header[2] == "SIS Login ID":
        about = 4
    assert header[about - 1] == "Section"
    found = {}
    for row in rows[1:]:
        if "Points Possible" in row[0] or all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell) for cell in row):
            continue
        found[row[1]] = dict(zip(header[about:], row[about:], strict=True))
    return found


def moodle_takes(file: Path) -> dict[str, tuple[str, str]]:
    """Participant → grade and comment: what mod/assign/feedback/offline/importgradeslib.php asks of a worksheet."""
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= rows[0].keys()
    return {r["Identifier"].removeprefix("Participant "): (r["Grade"], r.get("Feedback comments", "")) for r in rows}


def test_canvas_gets_its_own_file_back_with_the_points_of_one_assignment(tmp_path, capsys):
    output = grade(SUBMITTED, tmp_path, CANVAS)
    assert export(output, "--format", "canvas", "--assignment", "DDPM") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(output / "canvas.csv"), "2 of 3 students have points"]
    assert said.err.splitlines() == ["without points, and left as they are: Roy, Eve"]
    # nothing of other assignments, which could be overwritten; and no grade is taken from whoever has none here
    assert canvas_takes(output / "canvas.csv") == {
        "115": {"DDPM (78)": "2.5"}, "12": {"DDPM (78)": "5"}, "13": {"DDPM (78)": "4.5"},
    }  # fmt: skip
    lines = (output / "canvas.csv").read_text().splitlines()
    assert lines[:3] == [
        "Student,ID,SIS User ID,SIS Login ID,Section,DDPM (78)", ",,,,,Manual Posting", "Points Possible,,,,,12",
    ]  # fmt: skip
    assert lines[4] == '"Wu, Bob",12,=12,bwu,S 1,5'  # nothing is escaped that Canvas has to find again


def test_another_grade_book_than_the_roster_is_matched_by_names_and_numbers(tmp_path, capsys):
    output = grade(SUBMITTED, tmp_path)  # no roster
    assert export(output, "--format", "canvas") == 2
    assert "was graded without a roster; expected --roster" in capsys.readouterr().err
    (tmp_path / "book.csv").write_text(
        CANVAS.replace("Lee, Ann", "Lee, Anne").replace("HW 1 (77)", "HW 1").replace(",12,=12", ",999,=12")
    )
    assert export(output, "--format", "canvas", "--roster", tmp_path / "book.csv", "--output", tmp_path / "x.csv") == 0
    assert canvas_takes(tmp_path / "x.csv") == {
        "115": {"DDPM (78)": "2.5"}, "999": {"DDPM (78)": "5"}, "13": {"DDPM (78)": "4.5"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("roster", "words", "says"),
    [
        (CANVAS, [], "expected --assignment, one of: HW 1 (77), DDPM (78)"),
        (CANVAS, ["--assignment", "DPM"], "--assignment DPM: no such assignment in "),
        (CANVAS, ["--assignment", "Current Score"], "did you mean"),
        (CANVAS.replace(" (77)", "").replace(" (78)", ""), [], "no assignment's column, such as `DDPM (4711)`"),
        ("student,ID\nann,115\n", [], "no column Student; expected the file that Canvas writes by Grades → Export"),
        (CANVAS.replace("Section", "Class"), [], "no column Section"),
    ],
)
def test_what_canvas_would_refuse_is_told_in_one_line(roster, words, says, tmp_path, capsys):
    output = grade(SUBMITTED, tmp_path, roster)
    assert export(output, "--format", "canvas", *words) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1 and not (output / "canvas.csv").exists()


def test_another_scale_is_told(tmp_path, capsys):
    output = grade(SUBMITTED, tmp_path, CANVAS)
    assert export(output, "--format", "canvas", "--assignment", "77") == 0
    assert "HW 1 (77) has 40 points there, and 12 here: set it to 12" in capsys.readouterr().err


def test_a_comment_adds_up_to_the_grade(tmp_path):
    output = grade(MOODLE, tmp_path, WORKSHEET)
    graded = GradedClass(output)
    made = ({"points": 2.0, "reason": "<b>oral</b>"}, {"points": -0.5, "reason": "late"})
    ann = replace(graded.students[0], adjustments=made, points=4.0)
    assert comment(graded, ann) == "level 1: 2.5 of 5 points; level 4: 0 of 7 points; adjustments: +1.5 points"


def test_a_semicolon_stays_one(tmp_path):
    output = grade(SUBMITTED, tmp_path, CANVAS.replace("S 1, late", "S 1").replace(", ", " ").replace(",", ";"))
    assert export(output, "--format", "canvas", "--assignment", "78") == 0
    assert (output / "canvas.csv").read_text().startswith("Student;ID;SIS User ID;SIS Login ID;Section;DDPM (78)")


def test_moodles_worksheet_gets_grades_and_comments_and_loses_nothing(tmp_path, capsys):
    output = grade(MOODLE, tmp_path, WORKSHEET)
    assert export(output, "--format", "moodle") == 0
    found = moodle_takes(output / "moodle.csv")
    assert found["901"] == ("2.5", "level 1: 2.5 of 5 points; level 4: 0 of 7 points")
    assert found["902"] == ("5", "well done, Bob") and found["903"] == ("3.00", "")
    before, after = (list(csv.reader(io.StringIO(text))) for text in (WORKSHEET, (output / "moodle.csv").read_text()))
    assert after[0] == before[0] and [row[6:10] for row in after] == [row[6:10] for row in before]
    assert "without points, and left as they are: Eve Roy" in capsys.readouterr().err


def test_without_a_column_that_moodle_needs_it_is_told(tmp_path, capsys):
    output = grade(MOODLE, tmp_path, WORKSHEET.replace("Last modified (grade)", "Zuletzt geändert (Bewertung)"))
    assert export(output, "--format", "moodle") == 2
    assert "no column Last modified (grade), without which Moodle refuses a worksheet" in capsys.readouterr().err


def test_of_another_roster_moodles_grade_book_gets_those_with_points_alone(tmp_path, capsys):
    """One user that it does not know, and it imports nothing; an empty grade deletes the one that is there."""
    roster = "student,Email address,Section\nann,ann@uni,1\nbob,,1\neve,eve@uni,1\n"
    output = grade({"ann": BOTH, "bob": {"model.py": b"b"}, "stranger": {"model.py": b"s"}}, tmp_path, roster)
    assert export(output, "--format", "moodle") == 0
    assert (output / "moodle.csv").read_text().splitlines() == ["student,Email address,Grade", "ann,ann@uni,2.5"]
    err = capsys.readouterr().err
    assert "left out, as Email address is empty: bob" in err and "and left out: stranger" in err
    assert "Map from and Map to: Email address" in err
    (tmp_path / "names.csv").write_text("student\nann\n")
    assert export(output, "--format", "moodle", "--roster", tmp_path / "names.csv") == 2
    assert "no column by which Moodle finds users" in capsys.readouterr().err


def test_moodle_finds_users_by_what_all_of_them_have(tmp_path, capsys):
    roster = "First name,Last name,ID number,Email address\nann,A,1,ann@uni\nbob,B,,bob@uni\neve,E,,\n"
    layout = {"ann A": BOTH, "bob B": {"model.py": b"b"}, "eve E": {"model.py": b"e"}}
    output = grade(layout, tmp_path, roster)
    for without in ("eve", "nobody"):
        assert export(output, "--format", "moodle") == 0
        title, *lines = (output / "moodle.csv").read_text().splitlines()
        err = capsys.readouterr().err
        assert ("E, eve" in err) == (without == "eve") and "Map to: Email address\n" in err
        assert title == "First name,Last name,Email address,Grade" and len(lines) == (2 if without == "eve" else 3)
        (output / "roster.csv").write_text(roster.replace("eve,E,,", "eve,E,,eve@uni"))


def test_a_column_of_ones_own_does_not_move_canvass(tmp_path):
    page = io.StringIO()
    for k, (*four, section, one, two, last) in enumerate(csv.reader(CANVAS.splitlines())):
        csv.writer(page).writerow([*four, "G" if k else "group", section, one, two, last])
    own = page.getvalue()
    assert "SIS Login ID,group,Section" in own
    output = grade(SUBMITTED, tmp_path, own)
    assert export(output, "--format", "canvas", "--assignment", "DDPM") == 0
    assert (output / "canvas.csv").read_text().startswith("Student,ID,SIS User ID,SIS Login ID,Section,DDPM (78)")


def test_numbers_of_the_course_are_not_canvass(tmp_path, capsys):
    output = grade({"Ann Lee": BOTH, "Bo Ray": {"model.py": b"b"}}, tmp_path, "name,ID\nAnn Lee,1\nBo Ray,2\n")
    for ann, bo, points in (("Lee, Ann", "Ray, Bo", ["2.5", "5"]), ("Li, Annie", "Ro, Rob", ["", ""])):
        lines = ["Student,ID,SIS User ID,Section,HW (7)", "Points Possible,,,,12", f'"{ann}",2,,S,', f'"{bo}",1,,S,']
        (tmp_path / "book.csv").write_text("\n".join(lines))
        assert export(output, "--format", "canvas", "--roster", tmp_path / "book.csv") == 0
        written = (output / "canvas.csv").read_text().splitlines()[2:]
        assert [line.rpartition(",")[2] for line in written] == points


def test_who_stands_in_two_lines_of_a_grade_book_is_told(tmp_path, capsys):
    output = grade(SUBMITTED, tmp_path, CANVAS)
    line = next(line for line in CANVAS.splitlines() if "Wu" in line)
    (tmp_path / "book.csv").write_text(f"{CANVAS.rstrip()}\n{line}\n")
    words = ("--format", "canvas", "--assignment", "DDPM", "--roster", tmp_path / "book.csv")
    assert export(output, *words) == 0
    assert "more than one line of book.csv may be theirs, and none is filled in: Wu, Bob" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "moodle", "--anonymous"], "--anonymous: a grade book for moodle has to say who is who"),
        (["--format", "points", "--assignment", "x"], "--assignment x: only --format canvas has it"),
        (["--format", "excel"], "invalid choice: 'excel'"),
        (["--format", "points", "--output", "/"], "--output /: expected a file for --format points"),
        (["--format", "feedback", "--output", __file__], "expected a folder for --format feedback"),
        (["--format", "points"], "holds no graded class: there is no students.json; grade it by `class` first"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(words, says, tmp_path, capsys):
    assert export(tmp_path, *words) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_a_file_in_the_place_of_the_class_is_told(tmp_path, capsys):
    (tmp_path / "class.csv").touch()
    assert export(tmp_path / "class.csv", "--format", "points") == 2
    assert "class.csv holds no graded class" in capsys.readouterr().err


def test_points_by_check_and_student_are_one_table(tmp_path):
    roster = "student,group\nann,A\neve,A\nbob,\nzoe,\n"
    output = grade({"ann": BOTH, "bob": {"model.py": b"b"}}, tmp_path, roster)
    assert export(output, "--format", "points") == 0
    ids = [f"level{1 + 3 * (k // 2)}.some.check_{k}" for k in range(4)]
    assert list(csv.reader(io.StringIO((output / "points.csv").read_text()))) == [
        ["student", "group", "points", *ids, "level4.samples.sound"],
        ["points to get", "", "12.0", "2.5", "2.5", "2.5", "2.5", "2.0"],
        ["ann", "A", "2.5", "2.5", "0.0", "0.0", "0.0", ""],
        ["eve", "A", "2.5", "2.5", "0.0", "0.0", "0.0", ""],
        ["bob", "", "5.0", "2.5", "2.5", "0.0", "0.0", ""],
        ["zoe", "", "", "", "", "", "", ""],
    ]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": "x"}', '{"schema": "no-confusion-diffusion/class/v1", "students": [{}]}']
)
def test_a_broken_list_of_students_is_told_in_one_line(content, tmp_path, capsys):
    (tmp_path / "students.json").write_text(content)
    assert export(tmp_path, "--format", "points") == 2
    err = capsys.readouterr().err
    assert "students.json: can't be read: " in err and "grade the class again, which repeats nothing" in err
    assert err.count("\n") == 1
