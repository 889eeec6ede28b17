"""`python -m tests.gpu`, rehearsed completely on a CPU: the first run on a GPU should not be the one to find bugs."""

import json
import pickle
import subprocess
import sys
import tarfile
import time

import numpy
import pytest

from assignment.ddpm.errors import UserError
from tests.conftest import ROOT
from tests.gpu import __main__ as script
from tests.gpu import mosaics, parcel, stages
from tests.gpu.stages import Stage
from tests.support.everything import left_to


def checkout(folder):
    """A copy of the project as tracked by git, including uncommitted changes."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    files = [name for name in names.stdout.splitlines() if (ROOT / name).is_file()]
    folder.mkdir()
    archive = subprocess.run(["tar", "cf", "-", *files], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "xf", "-"], cwd=folder, input=archive, check=True)
    return folder


def call(at, *arguments):
    return subprocess.run([sys.executable, "-m", "tests.gpu", *arguments], cwd=at, capture_output=True, text=True)


@left_to("test-all")
def test_the_whole_way_there_and_back(tmp_path):
    there, here = checkout(tmp_path / "there"), checkout(tmp_path / "here")
    done = call(there, "--rehearse", "--minutes", "8", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in sorted(done.stdout.splitlines()) if ": done, " in line] == [
        "draw", "overfit", "reference", "right", "tests"
    ]  # fmt: skip
    again = call(there, "--rehearse", "--minutes", "8", "--out", str(tmp_path / "out"))
    assert again.stdout.count(": done before, in ") == 5

    came_back = call(here, "--take", str(tmp_path / "out"))
    assert came_back.returncode == 0, came_back.stdout + came_back.stderr
    record = json.loads((here / "reference" / "results" / "digits.json").read_text())
    (seed,) = record["seeds"]
    assert seed["sittings"][-1]["to_epoch"] == 2 and [row["epoch"] for row in seed["milestones"]] == [1, 2]
    assert "provisional" in record["provisional"] or "of 60 epochs" in record["provisional"]
    overfit = json.loads((there / "tests" / "bench" / "results" / "overfit-cpu.json").read_text())
    assert overfit["runs"][0]["verdicts"]["training.overfits"] == "passed"
    graded = json.loads((here / "outputs" / "gpu-graded" / "right" / "results.json").read_text())
    assert {check["verdict"] for check in graded["checks"] if check["level"] == 4} == {"passed"}
    assert next(c for c in graded["checks"] if c["id"] == "level1.trained.weights")["verdict"] == "passed"


def test_a_batch_of_cifar10_is_restored_bit_by_bit(tmp_path):
    pixels = numpy.random.default_rng(0).integers(0, 256, (10_000, 3072), numpy.uint8)
    batch = {b"batch_label": b"training batch 1 of 5", b"labels": list(range(10)), b"data": pixels, b"filenames": []}
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(batch))
    packed, restored = tmp_path / "packed", tmp_path / "restored"
    packed.mkdir(), restored.mkdir()
    mosaics.shrink(tmp_path / "data_batch_1", packed)
    mosaics.restore(packed / "data_batch_1.webp", restored)
    assert (restored / "data_batch_1").read_bytes() == (tmp_path / "data_batch_1").read_bytes()


def test_a_stage_that_fails_hangs_or_is_late_stops_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stages, "STATE", tmp_path)
    monkeypatch.setattr(stages, "RESULTS", tmp_path / "results" / "stages-cuda.json")
    earlier = [{"stage": "first", "machine": {}}, {"stage": "of an earlier day", "machine": {}}]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "stages-cuda.json").write_text(json.dumps({"stages": earlier}))
    plan = [
        Stage("first", "", 0, lambda left: ["-c", "print('hello')"]),
        Stage("fails", "a", 0, lambda left: ["-c", "raise SystemExit(3)"]),
        Stage("after it", "a", 0, lambda left: ["-c", f"assert {left} < 30"]),
        Stage("hangs", "b", 0, lambda left: ["-c", "import time; time.sleep(1e6)"], reserve=0.5),
        Stage("late", "b", 1e6, lambda left: ["-c", ""]),
    ]
    started = time.monotonic()
    ends = stages.run_all(plan, deadline=started + 6)
    assert time.monotonic() - started < 20
    assert ends["first"].startswith("done, ") and ends["after it"].startswith("done, ")
    assert ends["fails"].startswith("failed (exit code 3)") and ends["hangs"].startswith("stopped after ")
    assert ends["late"].startswith("not begun: ")
    noted = json.loads((tmp_path / "results" / "stages-cuda.json").read_text())["stages"]
    assert {stage["stage"] for stage in noted} == {*ends, "of an earlier day"}
    assert next(stage for stage in noted if stage["stage"] == "first")["machine"]["torch"]
    assert (tmp_path / "first.log").read_text() == "hello\n"
    assert stages.run_all(plan[:1], deadline=time.monotonic() + 6)["first"].startswith("done before, ")


def test_what_does_not_fit_is_left_out_and_folders_are_no_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(parcel, "ROOT", tmp_path)
    monkeypatch.setattr(parcel, "PART", 40_000)
    (tmp_path / "outputs" / "gpu-networks" / "runs").mkdir(parents=True)
    (tmp_path / "outputs" / "gpu-stages").mkdir()
    (tmp_path / "outputs" / "gpu-stages" / "small.json").write_bytes(b"x" * 50_000)
    (tmp_path / "outputs" / "gpu-stages" / "large.log").write_bytes(b"x" * 200_000)
    parts = parcel.collect(tmp_path / "out")
    assert len(parts) <= parcel.PARTS and all(part.stat().st_size <= parcel.PART for part in parts)
    assert capsys.readouterr().out == "left out, as the parts are full: outputs/gpu-stages/large.log\n"
    with pytest.raises(UserError, match=r"expected part-0, part-1 and so on, got part-1"):
        parts[0].unlink()
        parcel.take(tmp_path / "out")


def test_only_files_that_go_back_are_taken(tmp_path):
    (tmp_path / "evil.py").write_text("")
    with tarfile.open(tmp_path / "part-0", "w") as archive:
        archive.add(tmp_path / "evil.py", "grader/evil.py")
    with pytest.raises(UserError, match=r"grader/evil.py is none of the files that go back"):
        parcel.take(tmp_path)
    assert not (ROOT / "grader" / "evil.py").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "nonsense"], "error: --only nonsense: expected some of tests, sandbox, "),
        (["--pack", "."], "error: .: is there already; expected a new folder"),
        (["--take", "nowhere"], "error: nowhere: expected part-0, part-1 and so on, got none"),
        (["--minutes", "many"], "error: argument --minutes: invalid float value"),
    ],
)
def test_a_wrong_call_is_answered_in_a_line(arguments, says, capsys):
    assert script.main(arguments) == 2
    assert capsys.readouterr().err.startswith(says)
