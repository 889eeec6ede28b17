"""Several names, one submission: the same points for all of a group, or a line that says why nobody has any."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.classroom.command import main
from grader.classroom.groups import for_all, graded_alone, share
from grader.classroom.hand_ins import HandedIn, find
from grader.classroom.jobs import Outcome
from tests.support.hand_ins import BOTH, lay_out

OTHER = {"model.py": b"another"}
CRLF = {name: source + b"\r\n" for name, source in BOTH.items()}


def works(tmp_path: Path, layout: dict, roster: str) -> dict[str, HandedIn]:
    (tmp_path / "roster.csv").write_text(roster)
    return {work.student: work for work in share(find(lay_out(layout, tmp_path / "in"), tmp_path / "roster.csv")[0])}


@pytest.mark.parametrize(
    "layout",
    [
        {"ann": BOTH},
        {"ann": BOTH, "bob": CRLF},  # the same, on Windows
        {"A": BOTH},  # the group's own name
        {"ann_bob": BOTH},
        {"A_late.zip": BOTH},
    ],
)
def test_all_of_a_group_share_one_hand_in(layout, tmp_path):
    found = works(tmp_path, layout, "student,Group\nann,A\neve,\nbob,A\n")
    assert [work.student for work in graded_alone(list(found.values()))] == ["ann", "eve"]
    assert found["ann"].places and found["bob"].same_as == "ann" and found["bob"].folder == found["ann"].folder
    assert "handed in by ann for group A" in found["bob"].remark
    assert for_all(list(found.values()), {"ann": 7}) == {"ann": 7, "bob": 7}
    assert found["eve"].problem == "nothing handed in" and not found["bob"].problem


def test_moodles_team_submissions_are_found_by_group_and_name(tmp_path):
    layout = {"A-Ann Lee_12_assignsubmission_file": BOTH, "A-Bob Wu_13_assignsubmission_file": BOTH}
    found = works(tmp_path, layout, "Full name,Group\nAnn Lee,A\nBob Wu,A\nEve,A\n")
    assert [bool(work.places) for work in found.values()] == [True, False, False]
    assert {work.same_as for work in found.values()} == {"", "Ann Lee"}


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ({"ann": BOTH, "bob": OTHER}, "group A: ann, bob have handed in different work; keep the one that counts"),
        (
            {"ann": BOTH, "bob.zip": b"x"},
            "group A: what bob has handed in can't be compared with the others' (expected",
        ),
    ],
)
def test_who_disagrees_gets_nothing_silently(layout, says, tmp_path):
    found = works(tmp_path, layout | {"zoe": BOTH}, "student,team\nann,A\nbob,A\neve,A\nzoe,B\n")
    assert all(found[who].problem.startswith(says) for who in ("ann", "bob", "eve"))
    assert not found["zoe"].problem


def test_groups_are_not_mixed_up(tmp_path):
    """A hand-in with names of two groups is nobody's; one of a group that has handed in otherwise is told."""
    found = works(tmp_path, {"ann_zoe": BOTH, "B": OTHER}, "student,group\nann,A\nbob,A\nzoe,B\n")
    assert "may be ann or zoe's" in found["ann_zoe"].problem and found["bob"].problem == "nothing handed in"
    assert not found["ann"].places and found["ann"].problem
    assert found["B"].remark == "not in the roster"


def test_a_class_with_groups_is_graded_once_each(tmp_path, monkeypatch, capsys):
    graded = []

    def done(jobs: object, folders: list[Path]) -> Iterator[Outcome]:
        for folder in folders:
            graded.append(folder.name)
            results = {
                "checks": [],
                "score": 3.0,
                "max_score": 4.0,
                "submission": {"path": str(folder), "sha256": {"model.py": folder.name}},
                "environment": {"grading": "another"},
            }
            (folder / "results.json").write_text(json.dumps(results))
            yield Outcome(folder)

    monkeypatch.setattr("grader.classroom.sitting.Jobs.run", done)
    (tmp_path / "roster.csv").write_text("student,group\nann,A\nbob,A\nzoe,B\nyan,B\numa,\n")
    lay_out({"ann": BOTH, "zoe": BOTH, "yan": OTHER, "uma": {"model.py": b"u"}}, tmp_path / "in")
    words = [tmp_path / "in", "--roster", tmp_path / "roster.csv", "--level", "4"]
    assert main([*map(str, words), "--dry-run"]) == 1
    said = capsys.readouterr().out
    assert "bob: handed in by ann for group A" in said and "2 would be graded" in said
    assert main([*map(str, words), "--output", str(tmp_path / "out")]) == 1
    assert graded == ["ann", "uma"]
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO((tmp_path / "out" / "class.csv").read_text()))}
    assert [rows[who]["score"] for who in ("ann", "bob", "uma", "zoe", "yan")] == ["3.0", "3.0", "3.0", "", ""]
    assert rows["bob"]["remark"] == "handed in by ann for group A" and "different work" in rows["zoe"]["problem"]
    page = (tmp_path / "out" / "class.html").read_text()
    assert "No two students have handed in the same file." in page  # bob and ann are one
    assert page.count("students/ann/report.html") >= 2  # bob's report is ann's
    assert "3 graded, 0 handed nothing in, 2 could not be graded" in capsys.readouterr().out
    kept = {
        student["name"]: student for student in json.loads((tmp_path / "out" / "students.json").read_text())["students"]
    }
    assert (kept["bob"]["same_as"], kept["bob"]["points"], kept["zoe"]["points"]) == ("ann", 3.0, None)
    assert main([*map(str, words), "--output", str(tmp_path / "out")]) == 2
    assert "2 of 2 results are by another configs/grading.yaml" in capsys.readouterr().err
