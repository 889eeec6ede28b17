"""What students get back: their own work's results, where their platform looks for it, and nobody else's business."""

import csv
import io
import json
import platform
import zipfile
from pathlib import Path

import pytest

from grader import ROOT
from grader.__main__ import main
from grader.reports.reading import load
from tests.exports.test_grade_books import MOODLE, WORKSHEET
from tests.support.hand_ins import BOTH
from tests.support.made_class import PICTURE, grade

SAID = (
    f"opened /srv/course/secret.txt and {ROOT}/grader, ~/x/key, https://example.org/a/b, 3/4 on gpu-node-17 "
    f"({platform.node()}), saw Bob Wu and carla but not Bobby; {{own}}"
)


def export(*words: object) -> int:
    return main(["export", *map(str, words)])


def unzipped(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """Ann Lee has handed in for Carla, too."""
    layout = {"Ann Lee": BOTH, "Bob Wu": {"model.py": b"b"}, "dan_1_2_hw.zip": {"model.py": b"d"}}
    roster = "student,ID,group\nAnn Lee,,A\ncarla,,A\nBob Wu,,\ndan,1,\nzoe,,\n"
    return grade(layout, tmp_path, roster, SAID.format(own=f"{tmp_path}/graded/students/Ann Lee/submission/model.py"))


def test_everybody_gets_page_results_and_pictures(graded, capsys):
    assert export(graded, "--format", "feedback") == 0
    said = capsys.readouterr().out.splitlines()
    folder = graded / "feedback"
    assert said == [f"{folder}/feedback.zip: 3 in folders, 1 as Canvas takes them", f"{folder}/students: 4 zip files"]
    assert {file.name for file in (folder / "students").iterdir()} == {
        "Ann Lee.zip",
        "carla.zip",
        "Bob Wu.zip",
        "dan.zip",
    }
    files = unzipped(folder / "students" / "Ann Lee.zip")
    assert set(files) == {"report.html", "results.json", "steps.png"} and files["steps.png"] == PICTURE
    (graded / "own.json").write_bytes(files["results.json"])
    assert load(graded / "own.json")["submission"]["path"] == "Ann Lee"  # as valid as it was
    assert "for <code>Ann Lee</code>" in files["report.html"].decode()
    assert set(unzipped(folder / "feedback.zip")) >= {"Ann Lee/report.html", "carla/results.json", "dan_1_2_hw.zip"}


@pytest.mark.parametrize("words", [[], ["--anonymous"]])
def test_nothing_in_it_is_anybody_elses_business(graded, words):
    assert export(graded, "--format", "feedback", *words) == 0
    names = {"Ann Lee", "carla", "Bob Wu", "dan", "zoe"}
    folder = graded / ("feedback-anonymous" if words else "feedback") / "students"
    for file in folder.iterdir():
        own = set() if words else {file.stem}
        for name, content in unzipped(file).items():
            text = content.decode("utf-8", "replace")
            if words:  # their code is drawn, and may happen to contain anything that is as short as "vm" or "dan"
                text = text.replace(file.stem, "")
            for secret in (
                str(graded.parent),
                str(ROOT),
                "/srv",
                "gpu-node-17",
                platform.node(),
                str(Path.home()) + "/",
            ):
                assert secret not in text, (file.name, name, secret)
            assert {who for who in names if who in text} <= own, (file.name, name)
    text = next(unzipped(f)["results.json"].decode() for f in folder.iterdir())
    assert "opened secret.txt and grader, key, https://example.org/a/b, 3/4 on the machine" in text
    assert "not Bobby" in text and '"seed": 7' in text


def test_who_could_not_be_graded_reads_why_and_who_has_handed_nothing_in_gets_nothing(tmp_path):
    layout = {"ann": BOTH, "bob.rar": b"Rar!", "cid": {"model.py": b"c1"}, "dan": {"model.py": b"d1"}}
    output = grade(layout, tmp_path, "student,group\nann,\nbob,\ncid,A\ndan,A\nzoe,\n")
    page = json.loads((output / "students.json").read_text())
    assert next(of for of in page["students"] if of["name"] == "bob")["points"] is None
    next(of for of in page["students"] if of["name"] == "dan")["points"] = 2.0  # by a person, without results
    (output / "students.json").write_text(json.dumps(page))
    assert export(output, "--format", "feedback") == 0
    folder = output / "feedback" / "students"
    assert {file.stem for file in folder.iterdir()} == {"ann", "bob", "cid", "dan"}
    bob, cid = (unzipped(folder / f"{name}.zip") for name in ("bob", "cid"))
    assert (
        set(bob) == {"not graded.txt"}
        and b"could not be graded: expected model.py or sampler.py" in bob["not graded.txt"]
    )
    assert b"group A: cid, [a student] have handed in different work" in cid["not graded.txt"]


def test_names_are_found_as_platforms_and_as_people_write_them(tmp_path):
    said = "Lee, Ann; Ann Lee, alee, ann@uni or 1234567, leeann_115_5015_model.py; not 115, nor Ann-Lee"
    roster = 'Student,ID,login,email,SIS User ID\n"Lee, Ann",115,alee,ann@uni,1234567\n"Wu, Bob",12,b,,\n'
    layout = {"leeann_115_5015_model.py": b"m1", "wubob_12_5017_model.py": b"m2"}
    output = grade(layout, tmp_path, roster, said)
    assert export(output, "--format", "feedback") == 0
    printed = {}
    for file in (output / "feedback" / "students").iterdir():
        printed[file.stem] = json.loads(unzipped(file)["results.json"])["checks"][-1]["output"]
    assert printed["Lee, Ann"] == said
    a = "[a student]"
    assert printed["Wu, Bob"] == f"{a}; {a}, {a}, {a} or {a}, {a}; not 115, nor Ann-Lee"


def test_ids_in_the_place_of_names_are_the_same_next_time(graded):
    assert export(graded, "--format", "points", "--anonymous") == 0
    first = (graded / "points-anonymous.csv").read_text()
    rows = list(csv.DictReader(io.StringIO((graded / "anonymous.csv").read_text())))
    whose = {row["id"]: row["student"] for row in rows}
    assert sorted(whose.values()) == ["Ann Lee", "Bob Wu", "carla", "dan", "zoe"]
    assert (graded / "anonymous.csv").stat().st_mode & 0o077 == 0
    points = {row["student"]: row["points"] for row in csv.DictReader(io.StringIO(first))}
    assert {whose[drawn]: points for drawn, points in points.items() if drawn in whose}["Bob Wu"] == "5.0"
    assert not any(name in first for name in ("Ann", "Bob", "carla", "group"))
    listed = [drawn for drawn in points if drawn in whose]
    assert listed == sorted(listed)  # not in the roster's order, which would tell who is who
    page = json.loads((graded / "students.json").read_text())
    page["students"].insert(0, page["students"][0] | {"name": "new"})
    (graded / "students.json").write_text(json.dumps(page))
    assert export(graded, "--format", "points", "--anonymous") == 0
    assert all(drawn in (graded / "points-anonymous.csv").read_text() for drawn in whose)
    for damaged in ("student,id\nann,a,b\n", "", "ann,a\n"):
        (graded / "anonymous.csv").write_text(damaged)
        assert export(graded, "--format", "points", "--anonymous") == 2  # others would be drawn


def test_moodle_finds_each_students_folder(tmp_path):
    """By mod/assign/feedback/file/importziplib.php: name_PARTICIPANT_plugintype_plugin, then the file."""
    worksheet = WORKSHEET.replace("Bob Wu", "Bob_the Wu").replace('"No submission",,', "Submitted,B,")
    layout = {**MOODLE, "Eve_Roy": {"model.py": b"e"}}
    output = grade(layout, tmp_path, worksheet)
    assert export(output, "--format", "feedback") == 0
    found = set()
    for path in unzipped(output / "feedback" / "feedback.zip"):
        first, file = path.split("/")
        _, participant, kind, plugin, *rest = first.split("_", 4)
        assert (kind, plugin, rest) == ("assignsubmission", "file", [])
        found.add((participant, file))
    files = ("report.html", "results.json", "steps.png")
    assert found == {(number, file) for number in ("901", "902", "903") for file in files}


def test_canvas_finds_each_upload_and_shows_what_fits_its_name(tmp_path, capsys):
    """It shows a file under the name of the upload: a report called model.py has to be text."""
    layout = {
        "leeann_115_5015_model.py": b"m", "leeann_115_5016_sampler.py": b"s", "wubob_LATE_12_77_hw.zip": BOTH,
        "royeve_13_78_hw.tar.gz": {"model.py": b"e"},
    }  # fmt: skip
    output = grade(layout, tmp_path)
    assert export(output, "--format", "feedback") == 0
    files = unzipped(output / "feedback" / "feedback.zip")
    assert set(files) == {"leeann_115_5015_model.py", "wubob_LATE_12_77_hw.zip"}
    assert b"First to look at: level1.some.check_1" in files["leeann_115_5015_model.py"]
    with zipfile.ZipFile(io.BytesIO(files["wubob_LATE_12_77_hw.zip"])) as archive:
        assert "report.html" in archive.namelist()
    said = capsys.readouterr()
    assert "2 as Canvas takes them" in said.out
    assert "not in the one for all, as Canvas would not take it: royeve_13" in said.err
    assert len(list((output / "feedback" / "students").iterdir())) == 3


def test_only_pictures_of_our_own_are_taken_along(graded):
    folder = graded / "students" / "Bob Wu"
    (folder / "steps.png").unlink()
    (folder / "steps.png").symlink_to(graded / "students" / "Ann Lee" / "steps.png")
    (graded / "students" / "dan" / "steps.png").write_bytes(b"no picture")
    assert export(graded, "--format", "feedback") == 0
    for student in ("Bob Wu", "dan"):
        assert set(unzipped(graded / "feedback" / "students" / f"{student}.zip")) == {"report.html", "results.json"}


def test_broken_results_are_told_in_a_line(graded, capsys):
    (graded / "students" / "dan" / "results.json").write_text("{")
    assert export(graded, "--format", "feedback") == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("error: ") and "dan/results.json: not JSON" in err
