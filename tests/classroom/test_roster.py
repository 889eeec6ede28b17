"""Who is who: rosters as programs write them, matched with hand-ins as platforms name them."""

import os
import re
import tempfile
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.ddpm.errors import UserError
from grader.classroom.groups import share
from grader.classroom.hand_ins import find, one_level_too_high, strangers
from grader.classroom.matching import match
from grader.classroom.roster import Row, read_roster
from grader.errors import file_meant
from tests.support.hand_ins import BOTH, lay_out

NOTHING = "nothing handed in"


def matched(rows: list[str], names: list[str]) -> dict[str, str]:
    """Student → hand-in, for rows such as `Lee, Ann|115`."""
    read = [Row(row.split("|")[0], tuple(row.split("|")[1:]), {}) for row in rows]
    return {rows[k]: name for k, name in match(read, names).found.items()}


@pytest.mark.parametrize(
    ("rows", "names", "expected"),
    [
        # one name is the beginning, the end or the middle of another
        (["ab1", "ab12"], ["ab12_late"], {"ab12": "ab12_late"}),
        (["ab1", "ab12"], ["ab12_late", "ab1-2"], {"ab12": "ab12_late", "ab1": "ab1-2"}),
        (["12", "112"], ["112_hw"], {"112": "112_hw"}),
        (["x|12", "y|112"], ["hw_112", "hw_12"], {"x|12": "hw_12", "y|112": "hw_112"}),
        (["Ann Lee", "Ann Lee Smith"], ["Ann Lee Smith_12"], {"Ann Lee Smith": "Ann Lee Smith_12"}),
        (["Ann Lee"], ["Ann Lee Smith_12"], {}),
        (["Ann Lee"], ["Ann Lee-Smith_12"], {}),
        (["Ann Lee"], ["Ann Leeson_12"], {}),
        (["Lee"], ["Ann Lee_12"], {}),
        (["Anna"], ["Anna-Lena"], {}),
        (["ann"], ["joann", "annabel_1"], {}),
        (["ann.lee", "ann"], ["ann.lee_1"], {"ann.lee": "ann.lee_1"}),
        # as people and platforms write it
        (["Ann Lee"], ["Ann Lee_12_late"], {"Ann Lee": "Ann Lee_12_late"}),
        (["Ann Lee"], ["ann_lee"], {"Ann Lee": "ann_lee"}),
        (["Ann Lee"], ["Ann Lee late"], {"Ann Lee": "Ann Lee late"}),
        (["ANN"], ["ann-hw1"], {"ANN": "ann-hw1"}),
        (["M\u00fcller"], ["Mu\u0308ller_7"], {"M\u00fcller": "Mu\u0308ller_7"}),
        (["Stra\u00dfe"], ["STRASSE_7"], {"Stra\u00dfe": "STRASSE_7"}),
        (["\u0939\u093f\u0928\u094d\u0926\u0940"], ["\u0939\u093f_1"], {}),  # part of a word in Devanagari
        (["O'Neil"], ["o_neil_1"], {"O'Neil": "o_neil_1"}),
        (["Lee, Ann|115"], ["leeann_115"], {"Lee, Ann|115": "leeann_115"}),
        (["Lee, Ann"], ["12345-678 - Ann Lee - 25 November"], {"Lee, Ann": "12345-678 - Ann Lee - 25 November"}),
        (["Lee, Ann|115", "Lee, Ann|116"], ["leeann_116"], {"Lee, Ann|116": "leeann_116"}),
        (["12"], ["bob_34_2026-11-12"], {}),
        (
            ["octocat", "bob"],
            ["diffusion-octocat", "diffusion-bob"],
            {"octocat": "diffusion-octocat", "bob": "diffusion-bob"},
        ),
        (["cat", "bob"], ["diffusion-octo-cat", "diffusion-bob"], {"bob": "diffusion-bob"}),
        # whoever is meant by the whole name, or by more of it, goes first
        (["ann", "bob"], ["ann", "ann_bob"], {"ann": "ann"}),
        (["ann"], ["ann", "ann_2"], {"ann": "ann"}),
        (["ann", "Ann"], ["Ann", "ann"], {"ann": "ann", "Ann": "Ann"}),
        (["x|12345", "y|12", "z|012"], ["0012345", "12", "012"], {"x|12345": "0012345", "y|12": "12", "z|012": "012"}),
        (["1"], ["bob_01"], {}),
        (["-"], ["'", "0"], {}),
        (["ab1|Doe, Jane"], ["Jane Doe_12"], {"ab1|Doe, Jane": "Jane Doe_12"}),
        (["x|ann.lee@uni.edu"], ["Ann.Lee@uni.edu"], {"x|ann.lee@uni.edu": "Ann.Lee@uni.edu"}),
        # what is no number of a student: times, attempts, versions, numbers of the homework
        (["A|45"], ["zed_2026-11-03-12-45-59"], {}),
        (["Bob|1", "Ann Lee|alee"], ["zed (1)", "alee"], {"Ann Lee|alee": "alee"}),
        (["Bob|1"], ["zed-1"], {}),
        (["Bob|4"], ["HW 4 - zed2"], {}),
        (["Bob|2", "Ann|alee"], ["hw-2-zed", "hw-2-alee"], {"Ann|alee": "hw-2-alee"}),
        (["Bob|12345"], ["s12345-1"], {}),
        (["Bob|31415926"], ["zed_31415926"], {"Bob|31415926": "zed_31415926"}),
        (["Lee|00123", "Wu|124"], ["123_final", "hw_124"], {"Lee|00123": "123_final", "Wu|124": "hw_124"}),
        (["x|1234567"], ["1234567 Ann Lee"], {"x|1234567": "1234567 Ann Lee"}),
        (["x|1234567"], ["Ann-Lee-1234567"], {"x|1234567": "Ann-Lee-1234567"}),
        (["Lee, Ann Marie|ab123"], ["Ann Lee ab123"], {"Lee, Ann Marie|ab123": "Ann Lee ab123"}),
        (
            ["x|1234", "y|1245"],
            ["1234_project1", "1245_project1"],
            {"x|1234": "1234_project1", "y|1245": "1245_project1"},
        ),
        (
            ["Ann Models|alee", "Bo|bo1"],
            ["diffusion-models-alee", "diffusion-models-bo1", "Read me"],
            {"Ann Models|alee": "diffusion-models-alee", "Bo|bo1": "diffusion-models-bo1"},
        ),
        # a part of a login or an address
        (["Lee|lee1", "Bob|bray"], ["ddpm-ann-lee1", "ddpm-bray"], {"Bob|bray": "ddpm-bray"}),
        (["Bob|lee2@x.edu"], ["ann-lee2@x.edu"], {}),
        (["Bob|345", "Eve|12"], ["12-345"], {}),
        # what all names begin with is the homework's only where nobody is called so, and no person writes like this
        (["Lee Smith", "Kim"], ["Ann Lee Smith_12", "Ann Kim_3"], {}),
        (["ann|1", "Bob|2"], ["ann-1", "ann-2"], {}),
        # where name and number, or two names, speak of different people
        (["Lee, Ann|55", "Ray, Bob|12345678"], ["Ann Lee_12345678"], {}),
        (["Ann Lee", "Ed Fox"], ["Ann Lee_Ed Fox"], {}),
        (["alee", "brayton"], ["alee_brayton"], {}),
        # two hand-ins of one: what names them in whole, or says more of them, or neither
        (["ab1"], ["ab1", "ab1_v2", "late_ab1"], {"ab1": "ab1"}),
        (["Lee, Ann|115"], ["leeann_115", "leeann_116"], {"Lee, Ann|115": "leeann_115"}),
        (["Lee, Ann|00123"], ["Ann Lee_3", "00123_v2"], {}),
        # and where it is not clear, nobody
        (["ann"], ["ann_1", "ann_2"], {}),
        (["ann", "bob"], ["ann_bob"], {}),
        (["Lee, Ann", "Lee, Ann"], ["leeann_1"], {}),
    ],
)
def test_work_goes_to_its_student_or_to_nobody(rows, names, expected):
    if not any(rows.count(row) > 1 for row in rows):
        for order in permutations(names):
            assert matched(rows[::-1], list(order)) == expected
    assert matched(rows, names) == expected


NAMES = st.text(st.sampled_from("ab1 _-\u00e9"), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(NAMES, max_size=5), st.lists(NAMES, max_size=5, unique=True), st.randoms())
def test_no_order_of_rows_or_hand_ins_matters(students, names, chance):
    rows = [Row(student, (), {}) for student in students]
    found = {(rows[k].student, name) for k, name in match(rows, names).found.items()}
    assert len(found) == len({name for _, name in found}), "a hand-in was given twice"
    chance.shuffle(rows)
    chance.shuffle(names)
    assert {(rows[k].student, name) for k, name in match(rows, names).found.items()} == found


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


OF_MOODLE = (
    "Identifier,Full name,ID number\nParticipant 777,Ann Lee,55\nParticipant 778,Ann Lee,56\nParticipant 9,Ed,777\n"
)
OF_CANVAS = """Student,ID,SIS User ID
  Points Possible,,
"Lee, Ann",117,12345678
"Ray, Bo",116,115
"Student, Test",9,
"""


@pytest.mark.parametrize(
    ("roster", "name", "whose"),
    [
        (OF_MOODLE, "Ann Lee_777_assignsubmission_file_", "Ann Lee"),
        (OF_MOODLE, "Ann Lee_778_assignsubmission_file_", "Ann Lee (2)"),
        (OF_MOODLE, "Ann Lee_779_assignsubmission_file_", ""),
        (OF_MOODLE, "Ed_777_assignsubmission_file_", "Ann Lee"),  # the participant's number decides, and no other
        ("student,ID\nAnn Lee,5\nBob,12345678\n", "Ann Lee_12345678_assignsubmission_file_", "Ann Lee"),
        ("student,ID\nAnn Lee,777\nBob,11500\n", "annlee_11500_1_model.py", ""),  # one by name, one by number
        ("student,ID\nAnn Lee,1\nBo Ray,2\n", "leeann_2_1_model.py", "Ann Lee"),
        ("student\nLi Wei\nWei Li\n", "weili_7_1_model.py", ""),
        ("student,ID\nAnn Lee,115\nAnn Lee,116\n", "annlee_116_1_model.py", "Ann Lee (2)"),
        ("student,ID\nAnne L,11500\nBob,11600\n", "annlee_11500_1_model.py", "Anne L"),
        ("student\nMary-Ann Smith\n", "397063-2557369 - Mary-Ann Smith - Sep 24, 2024 926 PM", "Mary-Ann Smith"),
        ("student,ID\nAnn Lee,2\nBob,12345\n", "12345-4561 - Ann Lee - 25 November, 2026 1001 AM", "Ann Lee"),
        ("First name,Last name,group\nAnn,Lee,Group A\n", "Group A-Ann Lee_1_assignsubmission_file_", "Lee, Ann"),
        (OF_CANVAS, "leeann_117_1_model.py", "Lee, Ann"),
        (OF_CANVAS, "leeann_12345678_1_model.py", ""),  # another one of this name: Canvas's number is not SIS's
        (OF_CANVAS, "leeann_115_1_model.py", ""),
        ("Student,SIS User ID\n\"Lee, Ann\",4\n\"Ray, Bo\",12345678\n", "leeann_12345678_1_model.py", "Lee, Ann"),
        ("Last Name,First Name,Username,Student ID\nLee,Ann,alee,1\nX,Two,xt,2\n",
         "Homework 2_alee_attempt_2026-11-03-12-00-02_model.py", "Lee, Ann"),
        ("Last Name,First Name,Username,Student ID\nLee,Ann,alee,3\nX,Two,xt,12\n",
         "HW1_zed_attempt_2026-11-03-12-00-02_model.py", ""),
    ],
)  # fmt: skip
def test_a_platforms_number_is_compared_with_that_platforms_column(roster, name, whose, tmp_path):
    (tmp_path / "roster.csv").write_text(roster)
    layout = {name: BOTH["model.py"] if name.endswith(".py") else BOTH}
    works, _ = find(lay_out(layout, tmp_path / "class"), tmp_path / "roster.csv")
    assert [work.student for work in works if work.places and work.row is not None] == ([whose] if whose else [])
    assert not any("Test" in work.student for work in works)


OF_GRADESCOPE = """
submission_101:
  :submitters:
  - :name: Ann Lee
    :sid: '007'
    :email: ann@x.edu
  :created_at: 2026-11-03 12:00:00.000000000 Z
submission_102:
  :submitters:
  - :name: Bo Ray
    :sid:
    :email: bo@x.edu
  - :name: Cy Fox
    :sid: 9
    :email: cy@x.edu
submission_103:
  :submitters:
  - :name: Someone Else
    :sid: 44
"""
FOLDERS = {f"submission_{k}": BOTH for k in (101, 102, 103)}


def test_gradescopes_numbered_folders_belong_to_who_it_says(tmp_path):
    folder = lay_out(FOLDERS | {"submission_metadata.yml": OF_GRADESCOPE.encode()}, tmp_path / "class")
    works, _ = find(folder)
    assert [work.student for work in works] == ["Ann Lee", "Bo Ray and Cy Fox", "Someone Else"]
    (tmp_path / "roster.csv").write_text(
        "First Name,Last Name,SID,Email\nAnne,Lee,007,a@x\nBo,Ray,,bo@x.edu\nCy,Fox,9,\nEd,Fox,102,\n"
    )
    works, _ = find(folder, tmp_path / "roster.csv")
    assert [(work.student, work.problem, work.remark) for work in share(works)] == [
        ("Lee, Anne", "", ""), ("Ray, Bo", "", ""),
        ("Fox, Cy", "", "handed in by Ray, Bo for group Bo Ray and Cy Fox"), ("Fox, Ed", NOTHING, ""),
        ("Someone Else", "", "not in the roster"),
    ]  # fmt: skip


def test_gradescopes_numbers_come_before_names(tmp_path):
    """A student of the same name who is not in the course, with another number and address."""
    one = "submission_{}:\n  :submitters:\n  - :name: John Smith\n    :sid: '{}'\n    :email: {}\n  :x: 2026-13-45\n"
    text = one.format(1, "222", "j2@x") + one.format(2, "0111", "")
    layout = {"submission_1": BOTH, "submission_2": BOTH, "submission_metadata.yml": text.encode()}
    folder = lay_out(layout, tmp_path / "class")
    (tmp_path / "roster.csv").write_text("Name,SID,Email\nJohn Smith,111,j1@x\n")
    works, _ = find(folder, tmp_path / "roster.csv")
    assert [(work.row, work.places[0].name) for work in works] == [(0, "submission_2"), (None, "submission_1")]


@pytest.mark.parametrize("content", [b"", b"- 1", b"a: b", b"\xff\xfe\x00", b"{", b"a: {:submitters: [1]}"])
def test_a_list_of_gradescope_that_can_not_be_read_is_told_in_a_line(content, tmp_path):
    folder = lay_out({"submission_1": BOTH, "submission_metadata.yml": content}, tmp_path / "class")
    with pytest.raises(UserError, match=r"submission_metadata\.yml: can't be read as what Gradescope writes"):
        find(folder)


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
