"""A class in one command, here and on a real Slurm: whichever process is killed, nothing is lost or graded twice."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assignment.ddpm.files import only_one
from grader import __version__
from grader.classroom import audit, command, slurm_executor
from grader.classroom.command import main
from grader.classroom.hand_ins import HandedIn, find
from grader.classroom.jobs import Outcome, run_one
from grader.worker.processes import descendants
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.support.classes import gradings, lay_out, misjudged
from tests.support.everything import IN_CI
from tests.support.hand_ins import BOTH, HAND_INS
from tests.support.hand_ins import lay_out as lay_out_hand_ins
from tests.support.slurm import slurm, why_not

DIGITS = ROOT / "configs" / "digits.yaml"
CLASS = {
    "ann": BANK / "right" / "samplers" / "eps_beta_tilde.py",
    "bob": BANK / "wrong" / "samplers" / "adds_predicted_noise.py",
    "cid <b>": BANK / "right" / "samplers" / "eps_beta_tilde.py",
}


@pytest.fixture(scope="module")
def environment(request, tmp_path_factory) -> Iterator[dict[str, str]]:
    if request.param == "local":
        yield {"EXECUTOR": "local"}
    elif why := why_not() if IN_CI else "takes minutes: `make test-ci`":
        pytest.skip(why)
    else:
        with slurm(tmp_path_factory.mktemp("slurm")) as env:
            yield {"EXECUTOR": "slurm", **env}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "handed in"
    for student, file in CLASS.items():
        (folder / student).mkdir(parents=True)
        shutil.copy(file, folder / student / "sampler.py")
    (folder / "eve.zip").write_bytes(b"no archive")
    (folder.parent / "roster.csv").write_text("student,email\nann,ann@uni\nbob,=cmd()\nzoe,zoe@uni\n")
    return folder


@pytest.fixture(scope="module")
def many(environment, handed_in) -> tuple[Path, dict[str, dict[str, str]]]:
    """The same, on Slurm with 12 more from the bank (`make test-ci`); and the verdicts they must get."""
    folder = handed_in.parent / environment["EXECUTOR"] / "handed in"
    shutil.copytree(handed_in.parent, folder.parent, ignore=shutil.ignore_patterns("local", "slurm"))
    verdicts = lay_out(folder, 12 if environment["EXECUTOR"] == "slurm" else 0)
    return folder, {who: {k: v for k, v in of.items() if k.startswith("level4")} for who, of in verdicts.items()}


def start(handed_in: Path, output: Path, environment: dict[str, str], *more: str) -> subprocess.Popen:
    command = [
        sys.executable, "-m", "grader", "class", handed_in, "--output", output, "--executor", environment["EXECUTOR"],
        "--roster", handed_in.parent / "roster.csv", "--level", "4", "--config", DIGITS, "--jobs", "2",
        *(["--memory-gb", "4"] if environment["EXECUTOR"] == "slurm" else []), "runtime.device=cpu", *more,
    ]  # fmt: skip
    env = os.environ | environment | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(what: str, found, seconds: float = 180.0):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"no {what} in {seconds:.0f} s"
        time.sleep(0.1)
    return value


def forge(results: Path) -> None:
    """Change the verdict on one check."""
    page = json.loads(results.read_text())
    check = next(check for check in page["checks"] if check["id"] == "level4.step.mean")
    passed = check["verdict"] != "passed"
    check |= {"verdict": "passed" if passed else "failed", "points": check["max_points"] if passed else 0.0}
    page["score"] += check["max_points"] if passed else -check["max_points"]
    results.write_text(json.dumps(page))


@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("environment", ["local", "slurm"], indirect=True)
def test_a_class_is_graded_whoever_is_killed(environment, many, tmp_path):
    (handed_in, expected), output = many, tmp_path / "out"
    others = len(expected)
    first = start(handed_in, output, environment)
    wait_for("grading", lambda: gradings(output))
    os.kill(gradings(output)[0], signal.SIGKILL)  # a job's grader: our failure, not the student's
    done = wait_for("result", lambda: list(output.glob("students/*/results.json")))
    first.kill()
    first.communicate()
    left = (output / "queue.txt").read_text() if environment["EXECUTOR"] == "slurm" else None
    before = {file: file.stat().st_mtime_ns for file in done}

    second = start(handed_in, output, environment)
    wait_for("grading", lambda: gradings(output))
    os.kill(gradings(output)[0], signal.SIGKILL)  # which the controller has to notice, without accounts of Slurm's, too
    out, err = second.communicate(timeout=900)
    assert second.returncode == 1, err  # eve's can't be read
    assert {file: file.stat().st_mtime_ns for file in done} == before  # not graded again
    assert f"{3 + others} graded, 1 handed nothing in, 1 could not be graded" in out
    assert misjudged(output, expected) == []
    for file in output.glob("students/*/jobs.jsonl"):  # not even by jobs that a killed controller left in the queue
        ended = [json.loads(line)["exit_code"] for line in file.read_text().splitlines()]
        assert ended.count(0) <= 1, file
    with open(output / "class.csv", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {who: row["score"] for who, row in rows.items() if row["score"] and who not in expected} == {
        "ann": "10.0",
        "bob": "6.75",
        "cid <b>": "10.0",
    }
    assert rows["bob"]["email"] == "'=cmd()" and rows["zoe"]["problem"] == "nothing handed in"
    assert "eve.zip can't be opened" in rows["eve"]["problem"] and rows["eve"]["score"] == ""
    page = (output / "class.html").read_text()
    assert f"{3 + others} of {5 + others} graded" in page and "cid &lt;b&gt;" in page and "<b>" not in page
    assert re.search("ann, cid &lt;b&gt;[,<]", page)  # the same file
    assert (output / "students" / "ann" / "report.html").exists()
    again = audit.chosen([*CLASS, *expected], 0.1)
    forge(output / "students" / again[0] / "results.json")
    assert left is None or left not in (output / "queue.txt").read_text()  # its waiting jobs were cancelled
    third = start(handed_in, output, environment, "--audit", "10%")
    out, err = third.communicate(timeout=300)
    assert third.returncode == 1 and f"{len(again)} graded again: 1 differ" in out, err
    with open(output / "class.csv", newline="") as file:
        rows = {row["student"]: row["audit"] for row in csv.DictReader(file)}
    assert rows[again[0]].startswith("level4.step.mean: was ")
    assert {rows[who] for who in again[1:]} <= {"stands"} and not any(rows[who] for who in rows if who not in again)
    wait_for("end of all jobs", lambda: not gradings(output), 10)
    assert not [pid for pid in descendants(set()) if pid in gradings(output)]


def test_an_audit_takes_at_least_its_share_and_the_same_ones_again():
    students = [f"student {k}" for k in range(60)]
    first = audit.chosen(students, 0.1)
    assert len(first) == 6 and set(first) <= set(students) and audit.chosen(students[::-1], 0.1) == first
    assert len(audit.chosen(students, 0.101)) == 7 and audit.chosen(students[:1], 0.01) == students[:1]
    assert not audit.chosen([], 0.5)


def test_a_job_leaves_alone_what_is_done(tmp_path):
    class Done:
        name = "nothing"

        def words(self, folder: Path) -> list[str]:
            raise AssertionError

        def done(self, folder: Path) -> bool:
            return folder == tmp_path

    assert run_one(Done(), str(tmp_path)) == 0
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


def test_a_folder_with_another_class_is_left_alone(handed_in, tmp_path, capsys):
    (tmp_path / "class.json").write_text(json.dumps({"grader": "0.0.1"}))
    assert main([str(handed_in), "--output", str(tmp_path), "--level", "4"]) == 2
    assert "graded with another grader; expected a new --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--jobs", "0"], "--jobs 0: expected at least 1"),
        (["--level", "7"], "--level 7: expected 1, 2, 3, 4, 5 or 6"),
        (["--secret-seed", "nowhere"], "--secret-seed=nowhere: No such file or directory"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--output", ""], "argument --output: expected a folder, got nothing: is a variable empty?"),
        (["--audit", "10"], "--audit 10: expected a share such as 10%"),
        (["--audit", "nan%"], "--audit nan%: expected"),
        (["--audit", "200%"], "--audit 200%: expected"),
        (["--output", "/dev/null"], "--output /dev/null: /dev/null is a file; expected a folder for the results"),
        (["--output", "/dev/null/a/b", "--dry-run"], "--output /dev/null/a/b: /dev/null is a file; expected a folder"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(arguments, says, handed_in, tmp_path, capsys):
    assert main([str(handed_in), "--output", str(tmp_path / "out"), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and says in err and err.count("\n") == 1


def test_a_secret_that_is_too_short_is_told_before_any_job(handed_in, tmp_path, capsys):
    (tmp_path / "secret").write_bytes(b"12")
    words = ["--output", str(tmp_path / "out"), "--level", "4", "--secret-seed", str(tmp_path / "secret")]
    assert main([str(handed_in), *words]) == 2
    assert "a secret of 2 bytes; expected at least 16" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_other_options_than_before_are_named(handed_in, tmp_path, capsys):
    (tmp_path / "class.json").write_text(json.dumps({"grader": __version__, "arguments": ["--level", "4", "a.b=1"]}))
    assert main([str(handed_in), "--output", str(tmp_path), "--level", "4"]) == 2
    assert "was graded with a.b=1, and now it is --sandbox auto; expected the same options" in capsys.readouterr().err


def test_rescoring_wants_a_graded_class(handed_in, tmp_path, capsys):
    assert main([str(handed_in), "--output", str(tmp_path / "typo"), "--level", "4", "--rescore"]) == 2
    assert "typo holds no graded class; --rescore expects one" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_a_graded_class_is_no_hand_in(handed_in, tmp_path):
    shutil.copytree(handed_in, tmp_path / "in")
    (tmp_path / "in" / "graded" / "students" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "graded" / "class.json").touch()
    found, left_out = find(tmp_path / "in")
    assert "graded" in left_out and "graded" not in {work.student for work in found}


def test_no_hand_in_stops_the_class(tmp_path, capsys, monkeypatch):
    """Nor does a student who is called like a file of ours, as all of theirs lies below students/."""

    def done(jobs: object, folders: list[Path]) -> Iterator[Outcome]:
        for folder in folders:
            results = {"checks": [], "score": 0, "max_score": 0, "submission": {"path": "x", "sha256": {}}}
            (folder / "results.json").write_text(json.dumps(results))
            yield Outcome(folder)

    monkeypatch.setattr("grader.classroom.sitting.Jobs.run", done)
    layout = {name: what for hand_in, _ in HAND_INS.values() for name, what in hand_in.items()}
    handed_in = lay_out_hand_ins(layout | {"class.html": BOTH, "broken.zip": b"", "students": BOTH}, tmp_path / "in")
    assert main([str(handed_in), "--output", str(tmp_path / "out"), "--level", "4"]) == 1
    with open(tmp_path / "out" / "class.csv", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows["class.csv"]["files"] == rows["class.html"]["files"] == "model.py, sampler.py"
    assert rows["leeann_115"]["files"] == "leeann_115_5015_model.py, leeann_115_5016_sampler.py"
    assert "hand in the two files" in rows["broken"]["problem"] and not rows["broken"]["score"]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        ".lock", "class.json", "class.csv", "checks.csv", "similar.csv", "class.html", "gradings", "students",
        "students.json",
    }  # fmt: skip
    assert "could not be graded" in capsys.readouterr().out


def test_what_can_not_be_copied_is_the_problem_of_one_hand_in(tmp_path, monkeypatch):
    def full(places: object, target: Path, configs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "take", full)
    (taken,) = command.take_all([HandedIn("ann", (tmp_path,))], {"ann": tmp_path}, []).values()
    assert taken.problem == "it can't be copied: [Errno 28] No space left on device"


def test_of_the_queue_only_what_was_noted_is_cancelled(tmp_path, monkeypatch):
    """scancel without numbers cancels all jobs of its user."""
    called = []
    monkeypatch.setattr(slurm_executor.subprocess, "run", called.append)
    queue = slurm_executor.Queue(tmp_path / "queue.txt")
    queue.clear()
    (tmp_path / "queue.txt").touch()  # killed while writing
    queue.clear()
    assert called == [] and not (tmp_path / "queue.txt").exists()
    (tmp_path / "queue.txt").write_text("42\n47\n")
    queue.clear()
    (words,) = called
    assert words[0] == "scancel" and "--name=no-confusion" in words and words[-2:] == ["42", "47"]


class Silent:
    """A job of which submitit hears nothing more, as it left no result, and `sacct` doesn't know it."""

    job_id = "48_3"

    def done(self):
        return False


def test_a_job_that_slurm_no_longer_has_and_that_left_nothing_has_ended(monkeypatch):
    listing, now = slurm_executor.Listing(), [100.0]
    monkeypatch.setattr(slurm_executor.time, "monotonic", lambda: now[0])
    told = subprocess.CompletedProcess([], 0, "48_2\n48_3\n", "")
    monkeypatch.setattr(slurm_executor.subprocess, "run", lambda *args, **options: told)

    def after(seconds, code=0, jobs=""):
        now[0] += seconds
        told.returncode, told.stdout = code, jobs
        return job.done()

    job = slurm_executor.SlurmJob(Silent(), listing)
    assert not job.done()
    assert not after(60, 1) and not after(60, 1) and not after(60, 1)  # Slurm itself is away
    assert not after(60) and not after(1) and not after(1)  # only one look at the queue
    assert not after(60, jobs="48_3\n")  # requeued
    assert not after(60) and after(60) and job.code() is None


def test_a_class_is_graded_by_one_command_at_a_time(handed_in, tmp_path, capsys):
    with only_one(tmp_path / ".lock", "the test is working there"):
        assert main([str(handed_in), "--output", str(tmp_path), "--level", "4"]) == 2
    assert "another command is grading this class" in capsys.readouterr().err


def test_without_slurm_it_is_said(handed_in, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([str(handed_in), "--output", str(tmp_path / "out"), "--executor", "slurm", "--level", "4"]) == 2
    assert capsys.readouterr().err.startswith("error: --executor slurm: ")
