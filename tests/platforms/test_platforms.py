"""Platforms: a folder laid out as on Gradescope, Classroom 50's runner, GitHub's job; and the output for each."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

from grader.__main__ import main as grader
from grader.check_ids import needs_training
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.platforms import time_limited
from grader.platforms.classroom50 import run as classroom50
from grader.platforms.github import grade as github
from grader.results import Check, Results
from grader.submission.handed_in import take
from grader.worker import landlock, system_calls
from tests.conftest import ROOT
from tests.proof.container import MEMORY, Autograder, limited
from tests.support.platforms import RUNNER

NETWORK = (ROOT / "tests" / "support" / "networks.py").read_text()
SAMPLER = (ROOT / "reference" / "sampler.py").read_text()
STARTER = (ROOT / "assignment" / "sampler.py").read_text()
UNTRAINED = {i for i in load_grading().points if not needs_training(i)}
# setup.sh installs PyTorch for CPUs; a CUDA build, if the tests run with one, needs more memory in each process
LIMIT = MEMORY if torch.version.cuda is None else 2 * MEMORY
KILLS = """import os, signal
from pathlib import Path
for place in ("/autograder/results/results.json", "/autograder/results/.results.tmp.json"):
    try:
        Path(place).write_text('{"score": 20, "tests": []}')
    except OSError:
        pass
os.kill(-1, signal.SIGKILL)
"""


def valid(name: str, page: dict) -> bool:
    schema = json.loads((ROOT / "tests" / "support" / "schemas" / f"{name}.json").read_text())
    return [error.message for error in Draft202012Validator(schema).iter_errors(page)] == []


# ---- Gradescope


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that the container may see."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        pytest.skip("the container is made by bubblewrap")
    return tmp_path_factory.mktemp("gradescope")


@pytest.fixture(scope="module")
def sampler_only(place: Path) -> Autograder:
    return Autograder(place / "sampler", "--level", "4", "--visibility", "after_published")


def test_a_right_submission_gets_all_that_is_judged_there_within_the_limits(place):
    autograder = Autograder(place / "both")
    autograder.submit({"ddpm-alice/assignment/model.py": NETWORK, "ddpm-alice/assignment/sampler.py": SAMPLER})
    with limited(LIMIT) as group:
        done = autograder.run(group, bubblewrap=False)  # Docker does not allow namespaces
        assert done.returncode == 0, done.stdout
        assert group is None or group.killed == 0
    page = autograder.results
    assert valid("gradescope", page)
    assert {test["name"] for test in page["tests"]} == UNTRAINED
    assert page["score"] == sum(test["max_score"] for test in page["tests"]) == 20
    assert "judged here: 20 of the 40 points of all levels: what needs no trained network" in page["output"]
    guards = page["extra_data"]["environment"]["guards"]
    assert any(guard.startswith("no sandbox: bwrap") for guard in guards)
    assert any(guard.startswith("Landlock ABI ") for guard in guards) is (landlock.abi() > 0)


def test_the_starter_gets_nothing_for_its_stubs_however_late(sampler_only):
    sampler_only.submit({"sampler.py": STARTER}, created_at="2030-01-01T12:00:00.000000Z")
    assert sampler_only.run().returncode == 0
    page = sampler_only.results
    assert valid("gradescope", page) and page["visibility"] == "after_published"
    assert page["score"] < 1 and len(page["tests"]) == len([i for i in UNTRAINED if i.startswith("level4")])
    assert "not implemented yet" in "".join(test["output"] for test in page["tests"])


@pytest.mark.skipif(not system_calls.machine(), reason="there is no filter for this machine")
def test_who_kills_everything_ends_only_itself(sampler_only):
    sampler_only.submit({"sampler.py": KILLS})
    done = sampler_only.run(bubblewrap=False)
    assert done.returncode == 0, done.stdout
    assert sampler_only.results["score"] < 1 and len(sampler_only.results["tests"]) > 10


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"notes.txt": ""}, "expected model.py or sampler.py, found neither"),
        ({"a/sampler.py": "x = 1", "b/sampler.py": "x = 2"}, "sampler.py is there 2 times"),
    ],
)
def test_what_can_not_be_graded_is_told_in_a_line(files, says, sampler_only):
    sampler_only.submit(files)
    assert sampler_only.run().returncode == 0
    page = sampler_only.results
    assert valid("gradescope", page) and page["score"] == 0 and says in page["output"]


def test_the_zip_holds_what_grading_needs_and_no_answer(tmp_path):
    (tmp_path / "secret.txt").write_text("a secret of 16 bytes or more")
    target = tmp_path / "new" / "autograder.zip"
    arguments = ["--output", str(target), "--secret-seed", str(tmp_path / "secret.txt"), "--level", "1"]
    assert grader(["gradescope", *arguments]) == 0
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
        assert {"setup.sh", "run_autograder", "settings.json", "secret", "pyproject.toml"} <= names
        assert archive.read("secret") == b"a secret of 16 bytes or more"
        assert json.loads(archive.read("settings.json")) == {"levels": [1], "visibility": "visible"}
        assert b"import DDPMScheduler" in archive.read("reference/sampler.py")  # the library's, not the course's
        assert all(archive.getinfo(name).external_attr >> 16 & 0o111 for name in ("setup.sh", "run_autograder"))
    assert not [n for n in names if n.endswith(".safetensors") or n.startswith(("tests", "data", "outputs", "."))]
    assert target.stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--output", "a.tar"], "--output a.tar: expected a name that ends in .zip"),
        (["--level", "2"], "invalid choice: 2"),
        (["--secret-seed", "nowhere"], "--secret-seed=nowhere: No such file or directory"),
        (["--visibility", "never"], "invalid choice: 'never'"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(arguments, says, capsys):
    assert grader(["gradescope", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and says in err and err.count("\n") == 1


# ---- the process that grades


def results(*verdicts: str, device: str = "cpu") -> Results:
    names = ("contract.builds", "contract.shapes", "training.overfits", "trained.weights")
    checks = [
        Check(f"level1.{name}", "A claim.", 1.0, verdict, "" if verdict == "passed" else "did not run", location="")
        for name, verdict in zip(names, verdicts, strict=False)
    ]
    return Results(Path("x"), {"device": device, "advisory": ""}, checks)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A stand-in for Python: it reports results, then does as told."""

    def put(then: str, told: Results | None = None) -> None:
        line = json.dumps((told or results("passed", "not_judged")).to_json())
        script = tmp_path / "python"
        script.write_text(f"""#!{sys.executable}
import json, os, sys, time
channel = json.loads(sys.argv[-1])["channel"]
os.write(channel, {line!r}.encode() + b"\\n" + b'{{"half": ')
{then}
""")
        script.chmod(0o755)
        tmp_path.chmod(0o755)
        monkeypatch.setattr(time_limited.sys, "executable", str(script))
        monkeypatch.setattr(time_limited, "user_for", lambda process: None)

    return put


def test_when_the_time_is_up_what_was_judged_counts(stand_in, tmp_path):
    stand_in("time.sleep(60)")
    start = time.monotonic()
    found = time_limited.grade_apart(tmp_path, seed=1, minutes=0.05, levels=[1])
    assert time.monotonic() - start < 30
    assert [check["verdict"] for check in found["checks"]] == ["passed", "not_judged"] and found["score"] == 1
    assert found["checks"][1]["message"] == "the 0.05 minutes that there are here for a level were over"


def test_levels_are_put_together(stand_in, tmp_path):
    stand_in("")
    found = time_limited.grade_apart(tmp_path, seed=1, minutes=1, levels=[1, 4])
    assert (found["score"], found["max_score"], len(found["checks"])) == (2, 4, 4)
    assert found["information"]["judged here"].startswith("4 of the 40 points")


@pytest.mark.parametrize(("then", "says"), [("sys.exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "code -9")])
def test_a_grader_that_fails_says_nothing_about_the_submission(then, says, stand_in, tmp_path):
    stand_in(then)
    with pytest.raises(GraderFault, match=f"level 1: the grading process ended with .*{says}"):
        time_limited.grade_apart(tmp_path, seed=1, minutes=1, levels=[1])


# ---- which files are taken


@pytest.mark.parametrize(
    ("files", "origins"),
    [
        (
            ["assignment/model.py", "assignment/sampler.py", "reference/model.py"],
            ["assignment/model.py", "assignment/sampler.py"],
        ),
        (["model.py", "reference/model.py"], ["model.py"]),
        (["hw/model.py", "hw/deep/sampler.py", ".git/model.py"], ["hw/model.py", "hw/deep/sampler.py"]),
    ],
)
def test_the_two_files_are_found(files, origins, tmp_path):
    for name in files:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    taken = take([tmp_path / "in"], tmp_path / "out")
    assert taken.problem == "" and list(taken.origins.values()) == origins
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == taken.origins


def test_a_link_is_no_file_that_was_handed_in(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.py").symlink_to(ROOT / "reference" / "model.py")
    assert "symbolic link" in take([tmp_path / "in"], tmp_path / "out").problem
    assert not (tmp_path / "out").exists()


# ---- Classroom 50


@pytest.fixture
def runner(monkeypatch):
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)


def test_the_bundle_runs_as_classroom50_runs_it(runner, tmp_path, capsys):
    bundle, checkout = tmp_path / "runtime" / "ddpm", tmp_path / "checkout"
    assert grader(["classroom50", str(bundle)]) == 0
    (bundle / ".venv").symlink_to(sys.prefix)  # else it would install one
    checkout.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"CLASSROOM50_BUNDLE_DIR": str(bundle)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    (tmp_path / "sudo").write_text("#!/bin/sh\n")  # leaves the machine's settings alone
    (tmp_path / "sudo").chmod(0o755)
    command = [sys.executable, bundle / "autograder.py"]
    assert subprocess.run(command, cwd=checkout, env=environment).returncode == 0
    page = json.loads((checkout / "result.json").read_text())
    assert valid("classroom50", page)
    assert (page["score"], page["max-score"], page["owner"]) == (0, 20, "alice")
    for text in (page["tests"][0]["message"], (checkout / "release-body.md").read_text()):
        assert "found neither" in text
    assert grader(["classroom50", str(bundle)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_classroom50_gets_whole_points_and_a_page_for_the_student(runner, tmp_path, monkeypatch):
    (tmp_path / "sampler.py").write_text(SAMPLER)
    asked = {}

    def graded(submission: Path, **how: object) -> dict:
        asked.update(how, files=[file.name for file in submission.iterdir()])
        return results("passed", "failed").to_json()

    monkeypatch.setattr(classroom50, "grade_apart", graded)
    assert classroom50.main(str(tmp_path)) == 0
    page = json.loads((tmp_path / "result.json").read_text())
    assert valid("classroom50", page) and (page["score"], page["max-score"]) == (1, 2)
    assert (tmp_path / "release-body.md").read_text().startswith("## 1 of 2 points")
    assert asked["sandbox"] == "required" and asked["files"] == ["sampler.py"]


def test_classroom50_notes_an_error_where_the_grader_fails(runner, tmp_path, monkeypatch, capsys):
    def fails(*args: object, **how: object) -> dict:
        raise GraderFault("no bwrap")

    (tmp_path / "model.py").touch()
    monkeypatch.setattr(classroom50, "grade_apart", fails)
    assert classroom50.main(str(tmp_path)) == 3
    monkeypatch.delenv("SUBMISSION_TAG")
    assert classroom50.main(str(tmp_path)) == 2
    assert not (tmp_path / "result.json").exists()
    assert "no bwrap" in (err := capsys.readouterr().err) and "missing: SUBMISSION_TAG" in err


# ---- GitHub


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job's environment, with a checkout laid out like the handout."""
    (tmp_path / "student" / "assignment").mkdir(parents=True)
    for name in ("model.py", "sampler.py"):
        (tmp_path / "student" / "assignment" / name).touch()
    inputs = {"LEVELS": "1 4", "CONFIG": "configs/digits.yaml", "TRAIN": "false", "PASS_SCORE": "0", "SANDBOX": "auto"}
    return inputs | {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def run_job(job: dict, tmp_path: Path, monkeypatch, told: Results | None, code: int = 0) -> int:
    def stand_in(submission: Path, output: Path, words: list[str]) -> int:
        assert sorted(file.name for file in submission.iterdir()) == ["model.py", "sampler.py"]
        if told:
            told.save(output / "results.json")
        return code

    monkeypatch.setattr(github, "run_grader", stand_in)
    return github.main(str(tmp_path / "student"), str(tmp_path / "graded"), job)


def test_the_summary_says_what_no_gpu_means(job, tmp_path, monkeypatch, capsys):
    told = results("passed", "failed", "passed", "not_judged")
    told.checks[1].location = "model.py:3"
    assert run_job(job, tmp_path, monkeypatch, told) == 0
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("## 2 of 4 points") and "This runner has no GPU" in summary
    assert "1 checks of a trained network (1 points) were not judged" in summary
    assert "file=assignment/model.py,line=3" in capsys.readouterr().out
    assert not github.remarks(results("passed", device="cuda").to_json())


def test_the_job_is_green_unless_a_score_is_wanted_or_grading_failed(job, tmp_path, monkeypatch):
    assert run_job(job, tmp_path, monkeypatch, results("failed")) == 0
    assert run_job(job | {"PASS_SCORE": "0.5"}, tmp_path, monkeypatch, results("failed")) == 1
    assert run_job(job, tmp_path, monkeypatch, None, code=3) == 3
    assert "## Not graded" in (tmp_path / "summary.md").read_text()
    shutil.rmtree(tmp_path / "student" / "assignment")
    assert run_job(job, tmp_path, monkeypatch, None) == 1
    assert "## Nothing could be graded" in (tmp_path / "summary.md").read_text()


def test_inputs_become_arguments_of_the_grader(job):
    words = ["--level", "1", "--level", "4", "--sandbox", "auto"]
    assert github.arguments(job) == [*words, "--config", "configs/digits.yaml"]
    assert github.arguments(job | {"CONFIG": "", "TRAIN": "true"}) == [*words, "--train"]


def test_what_is_printed_while_grading_is_no_command(tmp_path, monkeypatch, capfd):
    (tmp_path / "python").write_text("#!/bin/sh\necho ::error::me\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(github.sys, "executable", str(tmp_path / "python"))
    assert github.run_grader(tmp_path, tmp_path, []) == 0
    out = capfd.readouterr().out
    assert re.fullmatch(r"::stop-commands::([0-9a-f]{32})\n::error::me\n\n::\1::\n", out)


def test_the_workflow_hands_over_every_input():
    workflow = (ROOT / ".github" / "workflows" / "grade.yml").read_text()
    for name in ("LEVELS", "CONFIG", "TRAIN", "PASS_SCORE", "SANDBOX"):
        assert f"{name}: ${{{{ inputs.{name.lower().replace('_', '-')} }}}}" in workflow
