"""Who is who: rosters as programs write them, and a class in which everybody and everything has a row."""

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.ddpm.errors import UserError
from grader.classroom.groups import share
from grader.classroom.hand_ins import find, one_level_too_high, strangers
from grader.classroom.roster import read_roster
from grader.errors import file_meant
from tests.support.hand_ins import BOTH, lay_out

NOTHING = "nothing handed in"


NAMES_OF_WORK = st.text(st.sampled_from("ab1 _-"), min_size=1, max_size=7).filter(lambda name: name.strip(" "))


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES_OF_WORK, min_size=1, max_size=5, unique_by=str.strip), st.data())
def test_everything_found_has_a_row_whatever_names_and_groups_say(names, data):
    students = data.draw(st.lists(NAMES_OF_WORK, min_size=1, max_size=5))
    lines = [f"{student},{data.draw(st.sampled_from(['', 'a', 'b']))}" for student in students]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "roster.csv").write_text("\n".join(["student,group", *lines]))
        lay_out({name.strip(): {} for name in names}, Path(folder) / "in")
        works, _ = find(Path(folder) / "in", Path(folder) / "roster.csv")
    given_away = [place for work in works for place in work.places]
    assert len(given_away) == len(set(given_away)) == len(names) and len(works) >= len(names)
    assert share(works)


def test_a_hand_in_of_two_stops_nobody(tmp_path):
    found = rows_of(tmp_path, "student\nAnn Lee\nBo Ray\n", "Ann Lee", "Ann Lee_Bo Ray")
    assert found["Ann Lee"] == ("", "Ann Lee") and "may be Ann Lee or Bo Ray's" in found["Ann Lee_Bo Ray"][0]
    assert found["Bo Ray"][0].startswith("may be the student of Ann Lee_Bo Ray")


def test_a_second_hand_in_goes_to_no_group(tmp_path):
    found = rows_of(tmp_path, "name,group\nAnn Lee,Team 1\nBo Ray,Team 2\n", "Ann Lee", "Ann Lee_Team 2")
    assert found["Bo Ray"] == (NOTHING, "") and found["Ann Lee"] == ("", "Ann Lee")


def test_groups_that_are_only_numbered_are_found(tmp_path):
    found = rows_of(tmp_path, "student,group\nann,1\nbob,1\neve,2\n", "group 1", "Team 2")
    assert found["ann"] == ("", "group 1") and found["eve"] == ("", "Team 2")


def test_the_second_hand_in_of_a_student_is_not_called_a_strangers(tmp_path):
    (tmp_path / "roster.csv").write_text("student\nab1\n")
    works, _ = find(lay_out({"ab1": BOTH, "ab1_v2": BOTH}, tmp_path / "class"), tmp_path / "roster.csv")
    assert [(work.student, work.remark) for work in works] == [
        ("ab1", ""),
        ("ab1_v2", "may be ab1's, of whom ab1 is graded"),
    ]


@pytest.mark.parametrize(
    ("output", "says"),
    [("", "the folder with the hand-ins"), ("bob", "a hand-in"), ("bob/out", "a folder within a hand-in"),
     ("bob.zip", "a hand-in")],
)  # fmt: skip
def test_results_are_not_written_among_the_work_of_students(output, says, tmp_path):
    folder = lay_out(
        {"ann": BOTH, "bob": BOTH, "bob.zip": BOTH, "new": {}, "old": {"class.json": b"{}"}}, tmp_path / "c"
    )
    with pytest.raises(UserError, match=f"--output .*: {says}; expected a folder that holds nothing else"):
        find(folder, output=folder / output)
    for fine in ("new", "old", "not yet there"):
        works, _ = find(folder, output=folder / fine)
        assert fine not in {work.student for work in works}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_that_can_not_be_looked_into_stops_nobody(tmp_path):
    folder = lay_out({"ann": BOTH, "bob": BOTH}, tmp_path / "class")
    (folder / "bob").chmod(0)
    try:
        assert [work.student for work in find(folder)[0]] == ["ann", "bob"]
    finally:
        (folder / "bob").chmod(0o755)


def test_a_link_that_can_not_be_followed_stops_nobody(tmp_path):
    folder = lay_out({"ann": BOTH, "bob": Path("x" * 4000)}, tmp_path / "class")
    assert [work.student for work in find(folder)[0]] == ["ann", "bob"]


CANVAS = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,HW 1 (77)
,,,,,Manual Posting
    Points Possible,,,,,40
"Lee, Ann",115,a115,alee,S 1,
"Wu, Bob",12,b12,bwu,S 1,3
"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CANVAS.encode(), [("Lee, Ann", ("115", "a115", "alee")), ("Wu, Bob", ("12", "b12", "bwu"))]),
        ("student\r\nann\r\n\r\nbob\r\n".encode("utf-8-sig"), [("ann", ()), ("bob", ())]),
        ("Student;Mail\nM\u00fcller, Zo\u00eb;z@x,y@x\n;;\n".encode("latin-1"), [("M\u00fcller, Zo\u00eb", ())]),
        (b"sep=;\r\nID;student\r\n7;ann\r\n", [("ann", ("7",))]),
        ("student\tID\nann\t7\n".encode("utf-16"), [("ann", ("7",))]),
        (b"student,Section,Section\rann,1,2\r", [("ann", ())]),
        (b'student,about\nann,"two\nlines, and a ""quote"""\n', [("ann", ())]),
        (b"ID,student\n7,\n", [("7", ())]),
        (b"student,email\nann,a@x,too,many\nbob\n", [("ann", ("a@x",)), ("bob", ())]),
        (  # Moodle
            b'Identifier,"Full name",Status\n"Participant 12345","Jane Doe",-\n',
            [("Jane Doe", ("Participant 12345", "12345"))],
        ),
        (  # GitHub Classroom
            b'"identifier","github_username","github_id","name"\n"Doe, Jane","jdoe","1001",""\n',
            [("Doe, Jane", ("jdoe",))],
        ),
        (  # Blackboard
            b"Last Name,First Name,Username,Availability\nDoe,Jane,jdoe,Yes\n",
            [("Doe, Jane", ("jdoe",))],
        ),
        (b"student,ID\nann,117.0\nbob,\n", [("ann", ("117",)), ("bob", ())]),  # pandas, in a column with gaps
        (b"student\nann\n" + bytes(512), [("ann", ())]),
    ],
)
def test_rosters_of_excel_and_canvas_are_read(content, expected, tmp_path):
    (tmp_path / "roster.csv").write_bytes(content)
    assert [(row.student, row.numbers) for row in read_roster(tmp_path / "roster.csv")] == expected


def test_all_other_columns_are_kept(tmp_path):
    (tmp_path / "roster.csv").write_text("Student,Section,Section,score\nann,1,2,3\n")
    (row,) = read_roster(tmp_path / "roster.csv")
    assert row.about == {"Section": "1", "Section 2": "2", "score": "3"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"ann\nbob\n", "expected a column `student`, `name` or `ID`, named in the first line; found ann"),
        (b"", "expected a column `student`, `name` or `ID`, named in the first line; found an empty file"),
        (b"c76ad74c" * 8, "named in the first line; found a long text"),
        (b"student,ID\n", "expected a line for each student, found titles only"),
        (b"PK\3\4\0\0", "is a workbook of Excel or another spreadsheet; save it as CSV"),
        (b'student\n"ann\nbob\n', "from line 2 on: expected a CSV file, such as Excel and Canvas write"),
    ],
)
def test_what_is_no_roster_is_told_in_one_line(content, says, tmp_path):
    (tmp_path / "roster.csv").write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        read_roster(tmp_path / "roster.csv")
    assert "\n" not in str(caught.value)


def rows_of(tmp_path, roster: str, *names: str) -> dict[str, tuple[str, str]]:
    """Student → problem, and name of the hand-in."""
    (tmp_path / "roster.csv").write_text(roster)
    works, _ = find(lay_out({name: BOTH for name in names}, tmp_path / "class"), tmp_path / "roster.csv")
    assert len({work.folder.casefold() for work in works}) == len(works)
    return {work.student: (work.problem, work.places[0].name if work.places else "") for work in works}


def test_everybody_and_everything_has_a_row(tmp_path):
    found = rows_of(tmp_path, "student\nann\neve\nbob\n", "ann_1", "ann_2", "bob_3", "stranger")
    assert list(found) == ["ann", "eve", "bob", "ann_1", "ann_2", "stranger"]
    rename = "keep the one that counts, or give the folder or file the student's whole name or number"
    assert found["ann"] == (f"may be the student of ann_1 and of ann_2: {rename}", "")
    assert found["ann_1"] == (f"may be ann's: {rename}", "ann_1")
    assert found["eve"] == (NOTHING, "") and found["bob"] == ("", "bob_3") and found["stranger"] == ("", "stranger")


def test_a_mistyped_roster_names_the_nearest_file(tmp_path):
    (tmp_path / "roster.csv").write_text("student\nann\n")
    with pytest.raises(UserError, match=r"rooster\.csv: can't be read \(No such file.*did you mean .*/roster\.csv\?"):
        read_roster(tmp_path / "rooster.csv")


def test_a_file_that_is_there_and_a_folder_that_is_not_name_no_other(tmp_path):
    (tmp_path / "roster.csv").write_text("")
    assert file_meant(tmp_path / "roster.csv") == ""  # there, but perhaps not to be read by this user
    assert file_meant(tmp_path / "nowhere" / "roster.csv") == file_meant(tmp_path / "roster.csv" / "x") == ""


def test_who_is_not_in_the_roster_or_twice_is_told(tmp_path):
    (tmp_path / "roster.csv").write_text("student,Section\nann,1\nbob,1\nann,2\n")
    folder = lay_out({"ann": BOTH, "b0b": BOTH, "bob": Path("b0b")}, tmp_path / "class")
    works, _ = find(folder, tmp_path / "roster.csv")
    assert {work.student: work.remark for work in works if "b" in work.student} == {
        "bob": "",
        "b0b": "not in the roster",
    }
    assert next(work for work in works if work.student == "bob").problem.startswith("bob is a link to another hand-in")
    anns = [work for work in works if work.student.startswith("ann")]
    assert len(anns) == 3 and all("the roster has them more than once: keep one row" in work.problem for work in anns)


def test_whatever_a_name_is_it_has_a_row_and_a_folder(tmp_path):
    names = ["../ann", "a/b", "a:b", "..", "x" * 300, "Ann", "ann", "CON", "", "Zo\u00eb"]
    found = rows_of(tmp_path, "student,ID\n" + "".join(f"{name},{k}\n" for k, name in enumerate(names)), "stranger")
    assert set(found) == {"../ann", "a/b", "a:b", "..", "x" * 300, "Ann", "ann", "CON", "8", "Zo\u00eb", "stranger"}
    works, _ = find(tmp_path / "class", tmp_path / "roster.csv")
    assert all("/" not in w.folder and w.folder.strip(".") and len(w.folder.encode()) < 200 for w in works)
    assert {w.folder for w in works if w.student == "Zo\u00eb"} == {"Zo\u00eb"}


def test_a_name_of_two_lines_is_one_line(tmp_path):
    assert rows_of(tmp_path, 'student\n"Ann\nLee"\n', "Ann Lee_1") == {"Ann Lee": ("", "Ann Lee_1")}


def test_namesakes_have_a_row_each(tmp_path):
    found = rows_of(tmp_path, 'student,ID\n"Lee, Ann",115\n"Lee, Ann",116\n', "leeann_116")
    assert found == {"Lee, Ann": (NOTHING, ""), "Lee, Ann (2)": ("", "leeann_116")}


def test_the_roster_and_the_results_are_no_hand_ins(tmp_path):
    folder = lay_out(
        {"ann": BOTH, "graded": {}, "roster.csv": b"student\nann\n", "page.html": b"", ".git": {}}, tmp_path / "c"
    )
    works, strays = find(folder, folder / "roster.csv", folder / "graded")
    assert [work.student for work in works] == ["ann"] and strays == [".git", "page.html"]


@pytest.mark.parametrize("layout", [{}, {".hidden": BOTH}, {"__MACOSX": BOTH}, {"grades.csv": b""}])
def test_a_class_without_hand_ins_is_told(layout, tmp_path):
    with pytest.raises(UserError, match="expected a folder or zip file for each student, found none"):
        find(lay_out(layout, tmp_path / "class"))
    with pytest.raises(UserError, match="no such folder"):
        find(tmp_path / "nowhere")
    (tmp_path / "submissions.zip").touch()  # as it was downloaded
    with pytest.raises(UserError, match=r"submissions\.zip is a file; unpack"):
        find(tmp_path / "submissions.zip")


@pytest.mark.parametrize(
    ("layout", "asks"),
    [
        (
            {"export": {"ann": BOTH, "bob.zip": BOTH}},
            "one hand-in, with 2 folders and archives in it: is .*/export the c",
        ),
        ({"ann": {**BOTH, "a": BOTH, "b": {}}}, "^$"),
        ({"ann": {"assignment": BOTH, "reference": BOTH}}, "^$"),
        ({"ann": {"hw": BOTH}}, "^$"),
        ({"export": {"ann": BOTH, "bob": BOTH}, "eve": BOTH}, "^$"),
    ],
)
def test_one_level_too_high_is_asked(layout, asks, tmp_path):
    works, _ = find(lay_out(layout, tmp_path / "class"))
    assert re.search(asks, one_level_too_high(works))


@pytest.mark.parametrize(
    ("roster", "says"),
    [
        (None, ""),
        ("student\nann\nbob\ncid\n", ""),
        ("student\nann\neve\n", "2 not in the roster: bob; cid"),
        (
            "student\ndan\neve\n",
            "3 not in the roster: ann; bob; cid; nobody who is in it was found among the hand-ins: is it the roster of "
            "this class?",
        ),
    ],
)
def test_whose_work_is_not_in_the_roster_is_summed_up(roster, says, tmp_path):
    folder = lay_out({"ann": BOTH, "bob": BOTH, "cid": BOTH}, tmp_path / "class")
    if roster:
        (tmp_path / "roster.csv").write_text(roster)
    works, _ = find(folder, tmp_path / "roster.csv" if roster else None)
    assert strangers(works) == says
