"""`class --rescore` and `--again`: points anew from what is stored, and whenever it is killed nothing is lost."""

import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from grader.check_ids import check_ids
from grader.classroom import changes, history
from grader.classroom.command import main
from grader.classroom.jobs import Grading, Jobs, Outcome, is_complete
from grader.grading_config import grading_digest, load_grading
from grader.results import Check, Results, level_of
from grader.submission.sources import read_sources, sha256
from tests.conftest import ROOT
from tests.proof.bank import BANK

DIGITS = ROOT / "configs" / "digits.yaml"
IDS = [name for name in check_ids() if level_of(name) == 4]
RIGHT = BANK / "right" / "samplers" / "eps_beta_tilde.py"


def hand_in(folder: Path, *students: str) -> Path:
    for student in students:
        (folder / student).mkdir(parents=True)
        shutil.copy(RIGHT, folder / student / "sampler.py")
    return folder


def made_up(folder: Path) -> None:
    """Results of level 4 as a grading leaves them: everything passed but the mean."""
    points = load_grading().points
    checks = [Check(name, "A claim.", points[name], "passed", "") for name in IDS]
    next(check for check in checks if check.id == "level4.step.mean").verdict = "failed"
    environment = {"grader": "0.1.0", "grading": grading_digest(), "device": "cpu", "seed": 1}
    results = Results(folder / "submission", environment, checks, sha256=sha256(read_sources(folder / "submission")))
    history.save(folder, results)


@pytest.fixture
def graders(monkeypatch):
    """Instead of jobs that grade: results that are made up. Lists the folders that were graded."""
    graded: list[str] = []

    def run(jobs: Jobs, folders: list[Path]):
        for folder in folders:
            done = jobs.task.done(folder)
            if not done:
                assert isinstance(jobs.task, Grading)
                made_up(folder)
                graded.append(folder.name)
            yield Outcome(folder, again=done)

    monkeypatch.setattr("grader.classroom.sitting.Jobs.run", run)
    monkeypatch.setattr("grader.classroom.jobs.__version__", "0.1.0")
    return graded


def a_dearer_mean(values: dict) -> None:
    values["points"]["level4.step.mean"] = 3
    values["points"]["level4.end_to_end"] = 0.5


def grade(tmp_path: Path, *more: str) -> int:
    return main([
        str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--level", "4", "--config", str(DIGITS), "--jobs", "1",
        "runtime.device=cpu", *more,
    ])  # fmt: skip


def rows(tmp_path: Path, name: str = "class.csv") -> list[dict[str, str]]:
    with open(tmp_path / "out" / name, newline="") as file:
        return list(csv.DictReader(file))


def test_points_follow_grading_yaml_and_the_old_results_are_kept(graders, edit, tmp_path, capsys):
    hand_in(tmp_path / "in", "ann", "bob")
    assert grade(tmp_path) == 0 and graders == ["ann", "bob"]
    edit(a_dearer_mean)
    assert grade(tmp_path) == 2
    err = capsys.readouterr().err
    assert "2 of 2 results are by another configs/grading.yaml; expected --rescore" in err
    assert grade(tmp_path, "--dry-run") == 2

    before = (tmp_path / "out" / "students" / "ann" / "results.json").read_bytes()
    assert grade(tmp_path, "--rescore", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "ann: 8.75 → 7.75 points: level4.step.mean 0 → 0" not in out
    assert "ann: 8.75 → 7.75 points: level4.end_to_end 1.5 → 0.5 (passed)" in out
    assert "0 would be graded, 2 were graded before" in out
    assert "2 to rescore: 2 from what is stored, 0 with some checks to grade again, 0 to grade anew" in out
    assert (tmp_path / "out" / "students" / "ann" / "results.json").read_bytes() == before

    assert grade(tmp_path, "--rescore") == 0 and graders == ["ann", "bob"], "nobody was graded"
    assert "2 rescored: 2 have other points;" in capsys.readouterr().out
    assert [(row["score"], row["max_score"]) for row in rows(tmp_path)] == [("7.75", "10.75")] * 2
    (kept,) = (tmp_path / "out" / "students" / "ann" / "history").iterdir()
    assert (kept / "results.json").read_bytes() == before and (kept / "report.html").exists()
    assert "7.75 of 10.75 points" in (tmp_path / "out" / "students" / "ann" / "report.html").read_text()
    changed = rows(tmp_path, changes.FILE)
    of_bob = [row for row in changed if row["student"] == "bob"]
    assert [(row["check"], row["points before"], row["points after"]) for row in of_bob] == [
        ("score", "8.75", "7.75"), ("level4.end_to_end", "1.5", "0.5"),
    ]  # fmt: skip
    assert grade(tmp_path, "--rescore") == 0 and grade(tmp_path) == 0
    assert len(list((tmp_path / "out" / "students" / "ann" / "history").iterdir())) == 1


def test_hundreds_are_rescored_in_seconds(graders, edit, tmp_path):
    import time

    hand_in(tmp_path / "in", *(f"s{k:03}" for k in range(60)))
    assert grade(tmp_path) == 0
    edit(a_dearer_mean)
    start = time.process_time()
    assert grade(tmp_path, "--rescore") == 0
    assert time.process_time() - start < 12, "0.2 s each, of which most is reading hand-ins and writing pages"
    assert {row["score"] for row in rows(tmp_path)} == {"7.75"}


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("where", ["grader.classroom.history.keep", "grader.classroom.history.html.render",
                                   "grader.results.Results.save"])  # fmt: skip
def test_a_rescoring_that_is_killed_loses_nothing(where, graders, edit, tmp_path, monkeypatch):
    hand_in(tmp_path / "in", "ann", "bob", "cid")
    assert grade(tmp_path) == 0
    before = {who: (tmp_path / "out" / "students" / who / "results.json").read_bytes() for who in ("ann", "bob", "cid")}
    edit(a_dearer_mean)
    child = os.fork()
    if not child:
        calls = []

        def die(*arguments, **options):
            calls.append(arguments)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        module, _, name = where.rpartition(".")
        holder = pytest.importorskip("pkgutil").resolve_name(module)
        original = getattr(holder, name)
        setattr(holder, name, die)
        grade(tmp_path, "--rescore")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    stored = [json.loads((tmp_path / "out" / "students" / who / "results.json").read_text()) for who in before]
    assert [results["score"] for results in stored] == [7.75, 8.75, 8.75]
    assert grade(tmp_path) == 2, "the rest is not graded anew by mistake"
    assert grade(tmp_path, "--rescore") == 0 and graders == ["ann", "bob", "cid"]
    assert {row["score"] for row in rows(tmp_path)} == {"7.75"}
    for who, content in before.items():
        (kept,) = (tmp_path / "out" / "students" / who / "history").glob("[!.]*")
        assert (kept / "results.json").read_bytes() == content


def test_who_hands_in_other_files_is_graded_and_the_old_results_are_kept(graders, tmp_path):
    hand_in(tmp_path / "in", "ann", "bob")
    assert grade(tmp_path) == 0
    (tmp_path / "in" / "bob" / "sampler.py").write_text("other = 1\n")
    assert grade(tmp_path) == 0 and graders == ["ann", "bob", "bob"]
    assert not (tmp_path / "out" / "students" / "ann" / "history").exists()
    assert len(list((tmp_path / "out" / "students" / "bob" / "history").iterdir())) == 1


def test_again_grades_whatever_is_stored(graders, tmp_path, capsys):
    hand_in(tmp_path / "in", "ann", "bob")
    assert grade(tmp_path) == 0
    assert grade(tmp_path, "--again", "Bob", "--dry-run") == 0
    assert "1 would be graded, 1 was graded before" in capsys.readouterr().out
    assert grade(tmp_path, "--again", "bob") == 0 and graders == ["ann", "bob", "bob"]
    assert len(list((tmp_path / "out" / "students" / "bob" / "history").iterdir())) == 1
    assert grade(tmp_path, "--again", "bbo") == 2
    assert "--again bbo: there is no such student; did you mean bob?" in capsys.readouterr().err


@pytest.mark.timeout(600)
def test_a_check_that_is_new_is_graded_alone(tmp_path, capsys):
    """The rest of the results stays, as does what was seen besides."""
    hand_in(tmp_path / "in", "ann")
    folder = tmp_path / "out" / "students" / "ann"
    shutil.copytree(tmp_path / "in" / "ann", folder / "submission")
    made_up(folder)
    page = json.loads((folder / "results.json").read_text())
    checks = [check for check in page["checks"] if check["id"] != "level4.contract.shapes"]
    page |= {
        "checks": checks,
        "score": sum(c["points"] for c in checks),
        "max_score": sum(c["max_points"] for c in checks),
    }
    (folder / "results.json").write_text(json.dumps(page))
    assert grade(tmp_path, "--rescore") == 0
    assert "1 with some checks to grade again" in capsys.readouterr().out
    found = json.loads((folder / "results.json").read_text())
    assert [check["id"] for check in found["checks"]] == IDS and found["score"] == 8.75
    verdicts = {check["id"]: check["verdict"] for check in found["checks"]}
    assert verdicts["level4.step.mean"] == "failed", "as it is stored: only the new check was graded"
    assert verdicts["level4.contract.shapes"] == "passed" and not (folder / "again").exists()
    assert is_complete(folder / "results.json", sha256(read_sources(folder / "submission")), frozenset(IDS))
    jobs = [json.loads(line) for line in (folder / "jobs.jsonl").read_text().splitlines()]
    assert [job["task"] for job in jobs] == ["grader-again"]


def test_a_results_file_that_is_no_results_is_not_rescored(tmp_path):
    (tmp_path / "results.json").write_text("[]")
    assert history.read(tmp_path / "results.json") is None and history.versions(tmp_path) == []
    history.keep(tmp_path)
    assert [place.name[-7:] for place in (tmp_path / "history").iterdir()] == ["unknown"]
