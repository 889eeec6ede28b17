"""Submissions as platforms export them, and statistics of a class."""

import zipfile
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader.classroom.statistics import by_check, identical, mistakes, scores
from grader.submission.handed_in import HandedIn, find, unpack
from grader.submission.sources import MOST


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def taken(place: Path, tmp_path: Path) -> dict[str, bytes] | str:
    """The files unpacked, or the reason why there are none."""
    target = tmp_path / "taken"
    why = unpack(HandedIn("ann", place), target)
    return why or {file.name: file.read_bytes() for file in target.iterdir()}


@pytest.mark.parametrize("name", ["model.py", "Ann Müller_123_assignsubmission_file/model.py", "a/b/c/model.py"])
def test_the_file_is_found_wherever_it_lies(name, tmp_path):
    place = zipped(tmp_path / "ann.zip", {name: b"x = 1", "__MACOSX/._model.py": b"junk", "conftest.py": b"evil"})
    assert taken(place, tmp_path) == {"model.py": b"x = 1"}
    folder = tmp_path / "folder"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"x = 2")
    (folder / "conftest.py").touch()
    assert taken(folder, tmp_path) == {"model.py": b"x = 2"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a/model.py": b"1", "b/model.py": b"2"}, "model.py is there 2 times: a/model.py and b/model.py"),
        ({"readme.txt": b""}, "expected model.py or sampler.py, found neither"),
        ({"model.py": bytes(MOST + 1)}, "model.py has more than"),
        ({"a/b/c/d/e/model.py": b"1"}, "found neither"),
    ],
)
def test_what_can_not_be_taken_is_told_in_one_line(files, says, tmp_path):
    why = taken(zipped(tmp_path / "ann.zip", files), tmp_path)
    assert says in why and "\n" not in why
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"PK" + bytes(100), lambda b: b""])
def test_a_broken_archive_is_told_in_one_line(damage, tmp_path):
    place = zipped(tmp_path / "ann.zip", {"model.py": b"x = 1\n" * 100})
    place.write_bytes(damage(place.read_bytes()))
    assert "is no zip file that can be read" in taken(place, tmp_path)


def test_a_damaged_member_is_told_in_one_line(tmp_path):
    place = zipped(tmp_path / "ann.zip", {"model.py": b"x = 1\n" * 100}, zipfile.ZIP_STORED)
    place.write_bytes(place.read_bytes().replace(b"x = 1\nx", b"x = 2\nx", 1))
    assert "is no zip file that can be read" in taken(place, tmp_path)


def test_paths_in_an_archive_lead_nowhere(tmp_path):
    place = zipped(tmp_path / "ann.zip", {"../../model.py": b"x = 1"})
    assert taken(place, tmp_path) == "expected model.py or sampler.py, found neither"
    assert not (tmp_path.parent / "model.py").exists()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret.py").write_text("password")
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "model.py").symlink_to(tmp_path / "secret.py")
    assert "is a symbolic link" in taken(tmp_path / "ann", tmp_path)


def test_what_is_unpacked_already_is_left_alone(tmp_path):
    place = zipped(tmp_path / "ann.zip", {"model.py": b"x = 1"})
    taken(place, tmp_path)
    before = (tmp_path / "taken" / "model.py").stat().st_ino
    taken(place, tmp_path)
    assert (tmp_path / "taken" / "model.py").stat().st_ino == before
    taken(zipped(tmp_path / "ann.zip", {"sampler.py": b"y"}), tmp_path)
    assert [file.name for file in (tmp_path / "taken").iterdir()] == ["sampler.py"]


def class_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "class"
    folder.mkdir()
    for name in names:
        if name.endswith(".zip"):
            zipped(folder / name, {"model.py": b""})
        else:
            (folder / name).mkdir()
    return folder


def test_a_class_is_folders_and_zip_files(tmp_path):
    folder = class_of(tmp_path, "ann", "Böb O'Neil.zip", ".hidden", "__MACOSX")
    (folder / "grades.csv").touch()
    assert [work.student for work in find(folder)] == ["Böb O'Neil", "ann"]


def test_a_roster_names_who_is_missing_and_finds_the_names_of_platforms(tmp_path):
    folder = class_of(tmp_path, "s123_Ann_2026-11-25", "s456_Bob_late.zip", "stranger")
    roster = tmp_path / "roster.csv"
    roster.write_text("student,email\r\ns123,ann@uni\r\ns456,bob@uni\r\ns789,eve@uni\r\n", encoding="utf-8-sig")
    ann, bob, eve, stranger = find(folder, roster)
    assert (ann.student, ann.place.name, ann.about) == ("s123", "s123_Ann_2026-11-25", {"email": "ann@uni"})
    assert bob.place.name == "s456_Bob_late.zip" and stranger.student == "stranger"
    assert eve.problem == "nothing handed in" and unpack(eve, tmp_path / "x") == "nothing handed in"


@pytest.mark.parametrize(
    ("names", "roster", "says"),
    [
        ([], None, "expected a folder or zip file for each student, found none"),
        (["ann", "ann.zip"], None, "ann is there twice"),
        (["ann"], "name\nann\n", "expected a column `student`"),
        (["ann"], "", "expected a column `student`"),
        (["ann_1", "ann_2"], "student\nann\n", "ann is part of ann_1 and of ann_2"),
        (["ann"], "student\n../ann\n", "expected the name of a folder"),
    ],
)
def test_a_class_that_can_not_be_read_is_told_in_one_line(names, roster, says, tmp_path):
    file = None
    if roster is not None:
        file = tmp_path / "roster.csv"
        file.write_text(roster)
    with pytest.raises(UserError, match=says) as caught:
        find(class_of(tmp_path, *names), file)
    assert "\n" not in str(caught.value)


# ---- statistics


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
