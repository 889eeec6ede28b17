"""`class --dry-run` says what would be graded, on which weights and at what cost, and leaves no trace."""

import hashlib
import json
import re

import pytest
import safetensors.torch
import torch

from grader import __version__
from grader.classroom import preview
from grader.classroom.command import main
from grader.grading_config import grading_digest
from grader.submission.weights_files import about_file
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support.hand_ins import BOTH, M, lay_out

CLASS = {
    "ann": BOTH, "bob.zip": {"hw": {"Model.py": M}}, "cid.rar": b"Rar!", "leeann_115_5015_sampler.py": b"s",
    "x.csv": b"",
}  # fmt: skip
DIGITS = ["--config", str(ROOT / "configs" / "digits.yaml")]


@pytest.fixture
def handed_in(tmp_path):
    return lay_out(CLASS, tmp_path / "in")


def listing(capsys, *argv: object) -> tuple[int, list[str], str]:
    code = main([str(word) for word in argv])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def test_everybody_is_listed_with_files_weights_and_cost(handed_in, tmp_path, capsys):
    words = [handed_in, "--dry-run", *DIGITS, "--jobs", "2", "--minutes", "30", f"output_dir={tmp_path / 'none'}"]
    code, lines, err = listing(capsys, *words)
    assert code == 1 and "not hand-ins, and left out: x.csv" in err
    assert lines == [
        "ann: model.py, sampler.py; weights of digits: none",
        "bob: model.py from hw/Model.py; weights of digits: none; there is no sampler.py",
        "cid: NOT GRADED: expected model.py or sampler.py, found neither; cid.rar can't be opened (it is a RAR "
        "archive); hand in the two files, or a zip of them",
        "leeann_115: sampler.py from leeann_115_5015_sampler.py; there is no model.py",
        "",
        "3 would be graded, 0 were graded before, 0 handed nothing in, 1 could not be graded",
        "cost: 3 jobs (local), 2 at a time, each with 1 CPU core, 0 GPUs and at most 30 minutes: at most 60 minutes "
        "if each ran into its limit; how long one really takes is told once the first of this class have ended",
        "NOT A FULL GRADE: up to 20 of 40 points could not be judged for 2 students, as there are no trained "
        "weights of theirs: have them handed in (`make submit`), grade with --train, or read scores without them",
        "nothing was graded or written",
    ]
    assert {place.name for place in tmp_path.iterdir()} == {"in"}


def test_it_measures_what_the_trainings_will_take(tmp_path, capsys):
    """And leaves no trace either."""
    network = (BANK / "right" / "networks" / "convnext.py").read_bytes()
    handed_in = lay_out({"ann": {"model.py": network}, "bob": {"model.py": b"def DiffusionModel(:\n"}}, tmp_path / "in")
    words = [handed_in, "--dry-run", *DIGITS, "--train", "--level", "1", "--jobs", "2", "runtime.device=cpu"]
    code, lines, err = listing(capsys, *words)
    assert code == 0 and lines[0] == "ann: model.py; weights of digits: to be trained; there is no sampler.py"
    cost = next(line for line in lines if line.startswith("training, by a few steps of each network: "))
    assert re.search(r"network: less than 0.1 hours for 1 of 2 submissions \(median .+: ann\); with 2 at a time", cost)
    assert any(line.startswith("can't be trained: bob; the first says: ") for line in lines)
    assert "ann: " in err and not [line for line in lines if "NOT A FULL GRADE" in line]
    assert {place.name for place in tmp_path.iterdir()} == {"in"}


def test_it_knows_the_weights_that_would_be_used(handed_in, tmp_path, capsys):
    file = tmp_path / "runs" / "digits-student" / "weights.safetensors"
    file.parent.mkdir(parents=True)
    about = {"code": hashlib.sha256(M).hexdigest()}
    safetensors.torch.save_file({"x": torch.zeros(1)}, file, metadata=about)
    _, lines, _ = listing(capsys, handed_in, "--dry-run", *DIGITS, f"output_dir={tmp_path / 'runs'}")
    assert lines[0] == f"ann: model.py, sampler.py; weights of digits: {file}"
    assert about_file(file) == about
    for broken, found in ((b"", None), (b"x", None), (b"\xff" * 100, None), (b"\2\0\0\0\0\0\0\0{}", {})):
        file.write_bytes(broken)
        assert about_file(file) == found


def test_it_knows_what_is_graded_already(handed_in, tmp_path, capsys):
    folder = tmp_path / "out" / "students" / "ann"
    lay_out({"submission": BOTH}, folder)
    digests = {name: hashlib.sha256(source).hexdigest() for name, source in BOTH.items()}
    ids = [check for check in preview.load_grading().points if check.startswith("level4")]
    page = {
        "submission": {"sha256": digests}, "checks": [{"id": check} for check in ids],
        "environment": {"grader": __version__, "grading": grading_digest()},
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(page))
    (folder / "jobs.jsonl").write_text(json.dumps({"task": "grader", "seconds": 12.0, "exit_code": 0}) + "\n")
    words = [handed_in, "--dry-run", "--output", tmp_path / "out", "--level", "4", "--jobs", "1"]
    _, lines, _ = listing(capsys, *words)
    assert lines[0] == "ann: model.py, sampler.py; graded before"
    assert "2 would be graded, 1 was graded before" in lines[5]
    assert lines[6].endswith(
        "at most 2.0 hours if each ran into its limit, or 24 s if each takes 12 s, as earlier ones of this class"
    )
    (handed_in / "ann" / "model.py").write_bytes(b"a new one")
    _, lines, _ = listing(capsys, *words)
    assert lines[0] == "ann: model.py, sampler.py"


def test_without_it_a_folder_for_the_results_is_needed(handed_in, capsys):
    code, _, err = listing(capsys, handed_in, "--level", "4")
    assert code == 2 and err == "error: --output is missing: expected a folder for the results\n"


@pytest.mark.parametrize("option", [["--partition", "gpu"], ["--memory-gb", "4"]])
def test_what_only_slurm_knows_is_refused_elsewhere(handed_in, option, capsys):
    code, _, err = listing(capsys, handed_in, "--dry-run", *option)
    assert code == 2 and err == f"error: {' '.join(option)}: only Slurm knows it; expected --executor slurm as well\n"


def test_it_says_how_many_would_be_trained_again(tmp_path, capsys):
    weights = safetensors.torch.save({"x": torch.zeros(1)}, {"code": hashlib.sha256(M).hexdigest()})
    pickled = {"weights": {"digits.safetensors": b"\x80\x04K\x01."}}
    layout = {who: {"model.py": M, "weights": {"digits.safetensors": weights}} for who in ("ann", "bob", "cid")}
    secret = tmp_path / "course.secret"
    secret.write_bytes(bytes(32))
    handed_in = lay_out(layout | {"dan": {"model.py": M} | pickled}, tmp_path / "in")
    words = [handed_in, "--dry-run", *DIGITS, "--secret-seed", secret, "--jobs", "2", "--minutes", "30"]
    _, lines, _ = listing(capsys, *words, "--retrain", "40%")
    told = "training again: 2 of 3 who handed in weights of digits, chosen by the secret: at most 30 minutes more"
    assert told in lines
    assert any(line.startswith("NOT A FULL GRADE") and "for 1 student," in line for line in lines), "pickled weights"
