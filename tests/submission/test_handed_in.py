"""From whatever was handed in, the two files are taken, or it is told why not and what to do."""

import io
import random
import tarfile
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.classroom.hand_ins import find
from grader.submission.chosen import meant, split_prefix
from grader.submission.handed_in import Taken, read, take
from tests.support.hand_ins import BOTH, HAND_INS, TOO_LONG, Raw, content, lay_out


def row(taken: Taken) -> str:
    """As the bank writes it."""
    return " ".join(
        name if source in BOTH.values() else f"{chr(source[0])}:{name}" for name, source in taken.sources.items()
    )


@pytest.mark.parametrize("name", HAND_INS)
def test_each_hand_in_of_the_bank_becomes_its_rows(name, tmp_path):
    layout, expected = HAND_INS[name]
    works, _ = find(lay_out(layout, tmp_path / "class"))
    assert {work.student for work in works} == set(expected)
    for work in works:
        taken = Taken(problem=work.problem) if work.problem else take(list(work.places), tmp_path / work.folder)
        wanted = expected[work.student]
        if wanted.startswith("! "):
            assert wanted[2:] in taken.problem and not taken.sources and not (tmp_path / work.folder).exists()
        else:
            assert (row(taken), taken.problem) == (wanted, "")
            assert {file.name for file in (tmp_path / work.folder).iterdir()} == set(taken.sources)
        assert (taken.problem + taken.remark).isprintable() and not any(
            b.startswith("/") for b in taken.origins.values()
        )


def test_the_bank_is_a_bank():
    assert len(HAND_INS) >= 40 and sum(len(rows) for _, rows in HAND_INS.values()) >= 60


def test_what_a_person_should_know_is_remarked(tmp_path):
    place = lay_out(
        {"only": {"model.py": b"1", "hw.ipynb": b"{}"}, "beside": {**BOTH, "old.rar": b"Rar!"}}, tmp_path / "x"
    )
    assert read(place / "only").remark == "there is no sampler.py, but hw.ipynb"
    assert read(place / "beside").remark == "old.rar can't be opened (it is a RAR archive)"
    starter = lay_out(HAND_INS["only the starter"][0], tmp_path / "y") / "ann"
    assert read(starter).remark == "there is no sampler.py; model.py is the untouched starter"
    clone = lay_out(
        {"empty": {"model.py": b" ", "sampler.py": b""}, "old": HAND_INS["a clone, and experiments"][0]["ann"]},
        tmp_path / "z",
    )
    assert read(clone / "empty").remark == "model.py is empty; sampler.py is empty"
    assert read(clone / "old").remark == "not taken: old/model.py"


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("model.py", "model.py"), ("MODEL (12).PY", "model.py"), ("sampler.py.txt", "sampler.py"),
        ("leeann_115_5015_model.py", "model.py"), ("leeann_LATE_115_5015_Sampler-2.py", "sampler.py"),
        ("my_model.py", ""), ("model2.py", ""), ("models.py", ""), ("model.pyc", ""), ("sampler", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_a_name_means(name, means):
    assert meant(name) == means


def test_whose_a_loose_file_is():
    assert split_prefix("Ann Lee - model (1).py") == ("Ann Lee", "model.py")
    assert split_prefix("model.py") == split_prefix("ann.py") == ("", "")


def test_what_is_unpacked_already_is_left_alone(tmp_path):
    (tmp_path / "ann.zip").write_bytes(content("ann.zip", {"model.py": b"x = 1"}))
    target = tmp_path / "taken"
    take([tmp_path / "ann.zip"], target)
    before = (target / "model.py").stat().st_ino
    take([tmp_path / "ann.zip"], target)
    assert (target / "model.py").stat().st_ino == before
    (tmp_path / "ann.zip").write_bytes(content("ann.zip", {"sampler.py": b"y"}))
    take([tmp_path / "ann.zip"], target)
    assert [file.name for file in target.iterdir()] == ["sampler.py"]


def test_what_nobody_thought_of_is_the_problem_of_one_hand_in(tmp_path, monkeypatch):
    def fails(*args: object, **more: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("grader.submission.handed_in.look_into", fails)
    assert read(tmp_path).problem == "it can't be read: KeyError: 'surprise'"


def test_a_folder_that_can_not_be_read_is_told(tmp_path, monkeypatch):
    def refused(place: object) -> None:
        raise PermissionError(13, "Permission denied")

    lay_out({"ann": BOTH}, tmp_path / "x")
    monkeypatch.setattr("grader.submission.contents.os.scandir", refused)  # root may read everything
    assert "the folder ann can't be read (Permission denied)" in read(tmp_path / "x" / "ann").problem


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_costs_no_memory(method, tmp_path):
    """128 MiB that are a few kilobytes packed; zipfile unpacks whatever it has read of LZMA and bzip2."""
    with zipfile.ZipFile(tmp_path / "ann.zip", "w", method) as archive:
        archive.writestr("model.py", bytes(1 << 27))
    tracemalloc.start()
    problem = read(tmp_path / "ann.zip").problem
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.startswith(("model.py has more than 1,048,576 bytes", "model.py can't be read (packed by neither"))
    assert peak < 100 << 20


def test_a_tar_whose_header_is_as_long_as_memory_is_refused(tmp_path):
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "ann.tar").write_bytes(entry.tobuf() + bytes(1 << 20))
    assert "ann.tar can't be opened" in read(tmp_path / "ann.tar").problem


def test_what_is_read_of_a_tar_before_it_gets_too_long_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("grader.submission.archives.MOST_UNPACKED", 1 << 16)
    (tmp_path / "ann.tgz").write_bytes(content("ann.tgz", {**BOTH, "weights": TOO_LONG}))
    taken = read(tmp_path / "ann.tgz")
    assert taken.sources == BOTH and "ann.tgz can't be opened (it unpacks to more than" in taken.remark


def test_archives_within_one_another_end(tmp_path):
    inner = content("a.zip", BOTH)
    for _ in range(20):
        inner = content("a.zip", {"a.zip": inner})
    (tmp_path / "ann.zip").write_bytes(inner)
    assert "too large or too deep to be opened within another archive" in read(tmp_path / "ann.zip").problem


WHOLE = {name: content(name, {"hw": BOTH, "x": {"a.zip": BOTH}}) for name in ("a.zip", "a.tar", "a.tgz", "a.tar.xz")}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 2**32), st.integers(1, 30))
def test_a_damaged_archive_is_told_or_holds_what_it_held(name, seed, count):
    """Random bytes of it are overwritten: then no file that is taken differs, or the checksum did not tell."""
    chance, damaged = random.Random(seed), bytearray(WHOLE[name])
    for _ in range(count):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / name
        place.write_bytes(damaged)
        taken = read(place)
    assert bool(taken.sources) != bool(taken.problem) and taken.problem.isprintable()
    if name == "a.zip":
        assert set(taken.sources.values()) <= set(BOTH.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["", "/model.py", "/../model.py", "//sampler.py"]))))
def test_whatever_paths_an_archive_has_nothing_is_written_elsewhere(paths):
    entries = tuple((f"{a}{b}".replace("\0", "") or "x", b"1") for a, b in paths)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "in" / "ann.zip"
        place.parent.mkdir()
        place.write_bytes(
            content("ann.zip", Raw(tuple((p.encode("utf-8", "replace").decode(), s) for p, s in entries)))
        )
        taken = take([place], Path(folder) / "out")
        assert bool(taken.sources) != bool(taken.problem)
        assert {p.name for p in Path(folder).iterdir()} <= {"in", "out"}
        if taken.sources:
            assert {p.name for p in (Path(folder) / "out").iterdir()} == set(taken.sources)


def test_a_tar_in_memory_is_no_file_system(tmp_path):
    page = io.BytesIO()
    with tarfile.open(fileobj=page, mode="w") as archive:
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE):
            entry = tarfile.TarInfo("model.py")
            entry.type, entry.linkname = kind, "/dev/zero"
            archive.addfile(entry)
    (tmp_path / "ann.tar").write_bytes(page.getvalue())
    assert read(tmp_path / "ann.tar").problem == "model.py is no regular file"
