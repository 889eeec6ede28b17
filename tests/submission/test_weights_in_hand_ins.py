"""Weights are taken from whatever was handed in, for the configurations that are graded, or it is told why not."""

import os
import pickle
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from grader.classroom.hand_ins import find
from grader.grading_config import load_grading
from grader.submission import handed_in
from grader.submission.handed_in import read, take
from grader.submission.weights_files import about, digests, refusal
from tests.support.hand_ins import BOTH, CLONE, Raw, content, lay_out

W = safetensors.torch.save({"a": torch.zeros(2)}, {"epoch": "3.0", "code": "", "val_loss": "0.5"})
V = safetensors.torch.save({"a": torch.ones(2)}, {"code": ""})
LOG, YAML = b"epoch,train_loss,val_loss\n1,1,1\n", b"data: {root: /etc}\n"
RUN = {"weights.safetensors": W, "log.csv": LOG, "config.yaml": YAML, "checkpoint.pt": b"x"}
PACKED = {**BOTH, "weights": {"digits.safetensors": W, "digits.log.csv": LOG, "digits.config.yaml": YAML}}
ALL = "digits.config.yaml digits.log.csv digits.safetensors"
SOLVED = {**CLONE, "outputs": {"digits-student": RUN}}
CONFIGS = ["digits", "fashion_mnist"]

# layout → student → the files in weights/, or `! …`, why weights are not taken; `V:` in front where these are V
HAND_INS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "as make submit packs it": ({"ann.zip": PACKED}, {"ann": ALL}),
    "in a folder": ({"ann": {"hw": PACKED}}, {"ann": ALL}),
    "a zip within a zip": ({"ann.zip": {"submission.zip": PACKED}}, {"ann": ALL}),
    "a tar.gz": ({"ann.tar.gz": PACKED}, {"ann": ALL}),
    "packed well": ({"ann.tar.xz": {"x.zip": PACKED}}, {"ann": ALL}),
    "loose beside the files": ({"ann": {**BOTH, "digits.safetensors": W}}, {"ann": "digits.safetensors"}),
    "renamed by a browser": ({"ann": {**BOTH, "Digits (1).safetensors": W}}, {"ann": "digits.safetensors"}),
    "two configurations": (
        {"ann": {**BOTH, "weights": {"digits.safetensors": W, "fashion_mnist.safetensors": V}}},
        {"ann": "digits.safetensors fashion_mnist.safetensors"},
    ),
    "Canvas": (
        {"leeann_115_5015_model.py": BOTH["model.py"], "leeann_115_5016_digits-1.safetensors": W,
         "leeann_115_5017_digits.log.csv": LOG, "wubob_LATE_12_5018_submission.zip": PACKED},
        {"leeann_115": "digits.log.csv digits.safetensors", "wubob_12": ALL},
    ),
    "loose files": ({"ann_model.py": BOTH["model.py"], "ann_digits.safetensors": W}, {"ann": "digits.safetensors"}),
    "a copy of the project": ({"ann": SOLVED}, {"ann": ALL}),
    "a zip of a copy": ({"ann.zip": {"no-confusion-diffusion": SOLVED}}, {"ann": ALL}),
    "earlier runs do not count, nor the reference's": (
        {"ann": {**CLONE, "outputs": {"digits-student.1": RUN, "digits-solution": RUN}}}, {"ann": ""},
    ),
    "a copy, with what make submit has packed": (
        {"ann": {**CLONE, "outputs": {"digits-student": {"weights.safetensors": V}, "submission.zip": PACKED}}},
        {"ann": "V:digits.safetensors"},
    ),
    "the course's own files": (
        {"ann": {**BOTH, "grader": {"metrics": {"weights": {"digits.safetensors": V}}},
                 "reference": {"weights": {"digits.safetensors": V}}}},
        {"ann": ""},
    ),
    "twice the same": (
        {"ann": {**PACKED, "backup": {"digits.safetensors": W}}}, {"ann": ALL},
    ),
    "twice, and different": (
        {"ann": {**PACKED, "old": {"digits.safetensors": V}}},
        {"ann": "! there are 2 for digits: weights/digits.safetensors and old/digits.safetensors, which differ"},
    ),
    "two of one path": (
        {"ann.zip": Raw((("model.py", b"model"), ("digits.safetensors", W), ("digits.safetensors", V)))},
        {"ann": "! there are 2 for digits"},
    ),
    "a pickle by another name": (
        {"ann": {**BOTH, "digits.safetensors": pickle.dumps({"a": 1})}},
        {"ann": "! digits.safetensors is not safetensors, and nothing else is read"},
    ),
    "empty": ({"ann": {**BOTH, "digits.safetensors": b""}}, {"ann": "! digits.safetensors is not safetensors"}),
    "of Git LFS": (
        {"ann": {**BOTH, "weights": {"digits.safetensors": b"version https://git-lfs.github.com/spec/v1\n"}}},
        {"ann": "! weights/digits.safetensors is only Git's pointer to the file"},
    ),
    "a link": (
        {"ann": {**BOTH, "weights": {"digits.safetensors": Path("/etc/hostname")}}},
        {"ann": "! digits.safetensors is a symbolic link"},
    ),
    "a link in a zip": (
        {"ann.zip": {**BOTH, "digits.safetensors": Path("/etc/hostname")}}, {"ann": "! digits.safetensors is a link"},
    ),
    "a folder that is a link": ({"ann": {**BOTH, "weights": Path("/etc")}}, {"ann": ""}),
    "too large": ({"ann": {**BOTH, "digits.safetensors": bytes(3 << 20)}}, {"ann": "! digits.safetensors has 3,145"}),
    "too large, in a zip": (
        {"ann.zip": {**BOTH, "digits.safetensors": bytes(3 << 20)}},
        {"ann": "! digits.safetensors has more than 2 MiB"},
    ),
    "only weights": ({"ann": {"weights": {"digits.safetensors": W}}}, {"ann": "nothing"}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def two_mebibytes(monkeypatch):
    """The limit, so that a file can be too large for it."""
    grading = load_grading()
    grading = replace(grading, weights=replace(grading.weights, mib=2))
    monkeypatch.setattr(handed_in, "load_grading", lambda: grading)


@pytest.mark.parametrize("name", HAND_INS)
def test_each_hand_in_gives_its_weights_or_says_why_not(name, tmp_path):
    layout, expected = HAND_INS[name]
    works, _ = find(lay_out(layout, tmp_path / "class"))
    assert {work.student for work in works} == set(expected)
    for work in works:
        target, wanted = tmp_path / "taken" / work.folder, expected[work.student]
        taken = take(list(work.places), target, CONFIGS)
        if wanted == "nothing":
            assert "found neither" in taken.problem and not target.exists()
            continue
        assert taken.problem == "" and (target / "model.py").is_file()
        there = sorted(file.name for file in target.glob("weights/*"))
        if wanted.startswith("! "):
            assert (
                refusal(target, "digits").startswith(wanted[2:]) and f"weights not taken: {wanted[2:]}" in taken.remark
            )
            assert there == ["digits.refused.txt"]
        else:
            assert there == wanted.removeprefix("V:").split()
            for file in target.glob("weights/digits.safetensors"):
                assert file.read_bytes() == (V if wanted.startswith("V:") else W)
        assert digests(target) == taken.digests


def test_nothing_is_copied_again_but_what_has_changed_is(tmp_path):
    place, target = lay_out({"ann": PACKED}, tmp_path / "x") / "ann", tmp_path / "taken"
    take([place], target, CONFIGS)
    file = target / "weights" / "digits.safetensors"
    before = file.stat().st_ino
    take([place], target, CONFIGS)
    assert file.stat().st_ino == before
    (place / "weights" / "digits.safetensors").write_bytes(V)
    take([place], target, CONFIGS)
    assert file.read_bytes() == V and not list(target.rglob(".*"))


def test_weights_of_other_configurations_and_pickles_are_remarked(tmp_path):
    layout = {**BOTH, "weights": {"cifar10.safetensors": W}, "digits.pt": b"PK"}
    remark = read(lay_out({"ann": layout}, tmp_path / "x") / "ann", configs=CONFIGS).remark
    assert "not read, as only safetensors are: digits.pt" in remark
    wanted = "weights/digits.safetensors or weights/fashion_mnist.safetensors"
    assert f"weights not taken: expected {wanted}, got weights/cifar10.safetensors" in remark
    assert read(tmp_path / "x" / "ann").remark == ""  # where no trained network is judged, nothing is said of weights


def test_one_file_is_meant_for_the_one_configuration_that_is_graded(tmp_path):
    place = lay_out({"ann": {**BOTH, "weights.safetensors": W}}, tmp_path / "x") / "ann"
    assert list(read(place, configs=["digits"]).weights.files) == ["digits.safetensors"]
    taken = read(place, configs=CONFIGS)
    assert not taken.weights.files and "weights.safetensors" in taken.remark


def test_a_bomb_of_weights_costs_no_memory_and_little_time(tmp_path):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("digits.safetensors", bytes(1 << 28))
    with zipfile.ZipFile(tmp_path / "ann.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.py", "x = 1")
        archive.writestr("digits.safetensors", bytes(1 << 28))
        archive.write(tmp_path / "inner.zip", "inner.zip")
    tracemalloc.start()
    taken = read(tmp_path / "ann.zip", configs=CONFIGS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 2 MiB" in taken.remark and taken.sources and peak < 32 << 20


def test_what_is_too_much_in_all_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("grader.submission.contents.MOST_PASSED", 1 << 20)
    many = {str(k): {"digits.safetensors": os.urandom(1 << 18)} for k in range(8)}
    place = lay_out({"ann": {**BOTH, **many}}, tmp_path / "x") / "ann"
    assert "to unpack; hand in the files themselves" in read(place, configs=CONFIGS).problem


@pytest.mark.parametrize(
    "start",
    [b"", b"x", b"\xff" * 20, b"\2\0\0\0\0\0\0\0[]", b"\4\0\0\0\0\0\0\0null", W[:60]],
    ids=["nothing", "a letter", "a size beyond all", "a list", "null", "cut off"],  # bytes of W differ from run to run
)
def test_what_says_nothing_of_itself_is_no_safetensors(start):
    assert about(start) is None


def test_a_zip_that_is_damaged_gives_no_weights(tmp_path):
    whole = content("ann.zip", Raw((("model.py", b"model"), ("digits.safetensors", W))))
    at = whole.index(W)
    (tmp_path / "ann.zip").write_bytes(whole[: at + 100] + b"?" + whole[at + 101 :])
    taken = read(tmp_path / "ann.zip", configs=CONFIGS)
    assert not taken.weights.files and "digits.safetensors can't be read (Bad CRC-32" in taken.remark
