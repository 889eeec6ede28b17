"""Whose is what: names of hand-ins, as people and platforms write them, and the rows of a roster."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.ddpm.errors import UserError
from grader.classroom.groups import share
from grader.classroom.hand_ins import find
from grader.classroom.matching import match
from grader.classroom.roster import Row
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
        (["Ann Lee"], ["Lee, Ann"], {"Ann Lee": "Lee, Ann"}),
        (
            ["Ann Lee", "Bo Lee"],
            ["Lee, Ann_115", "Lee, Bo (late)"],
            {"Ann Lee": "Lee, Ann_115", "Bo Lee": "Lee, Bo (late)"},
        ),
        (["Ann Lee", "Lee Ann"], ["Lee, Ann"], {}),
        (["Ann"], ["Lee, Ann"], {}),
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
