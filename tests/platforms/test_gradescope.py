"""Gradescope: its container, laid out and limited as there; and the zip that a course uploads."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from grader.__main__ import main as grader
from grader.check_ids import needs_training
from grader.grading_config import load_grading
from grader.grading_options import REQUIRED
from grader.results import level_of
from grader.worker import landlock, system_calls
from tests.bench.results import load
from tests.conftest import ROOT
from tests.proof.container import MEMORY, Autograder, limited
from tests.support.everything import left_to
from tests.support.platforms import valid

NETWORK = (ROOT / "tests" / "support" / "networks.py").read_text()
SAMPLER = (ROOT / "reference" / "sampler.py").read_text()
STARTER = (ROOT / "assignment" / "sampler.py").read_text()
UNTRAINED = {i for i in load_grading().points if not needs_training(i) and level_of(i) in REQUIRED}
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


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that the container may see."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        pytest.skip("the container is made by bubblewrap")
    return tmp_path_factory.mktemp("gradescope")


@pytest.fixture(scope="module")
def sampler_only(place: Path) -> Autograder:
    return Autograder(place / "sampler", "--level", "4", "--visibility", "after_published")


@left_to("test-ci")
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


def test_the_zip_holds_what_grading_needs_and_no_answer(tmp_path, capsys):
    (tmp_path / "secret.txt").write_text("a secret of 16 bytes or more")
    target = tmp_path / "new" / "autograder.zip"
    arguments = ["--output", str(target), "--secret-seed", str(tmp_path / "secret.txt"), "--level", "1"]
    assert grader(["gradescope", *arguments]) == 0
    told = capsys.readouterr().out
    assert f"at least {MEMORY >> 20} MiB of memory under Settings → Autograder" in told
    runs = load("gradescope.json")["runs"]  # where that is from
    assert all(bool(run["killed"]) == (run["mib"] <= 640) for run in runs) and MEMORY >> 20 in {
        run["mib"] for run in runs
    }
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
        assert {"setup.sh", "run_autograder", "settings.json", "secret", "pyproject.toml"} <= names
        assert archive.read("secret") == b"a secret of 16 bytes or more"
        assert json.loads(archive.read("settings.json")) == {"levels": [1], "visibility": "visible"}
        assert b"import DDPMScheduler" in archive.read("reference/sampler.py")  # the library's, not the course's
        assert all(archive.getinfo(name).external_attr >> 16 & 0o111 for name in ("setup.sh", "run_autograder"))
    assert [n for n in names if n.endswith(".safetensors")] == ["assignment/digits/train.safetensors"]  # no test images
    assert not [n for n in names if n.startswith(("tests", "data", "outputs", "."))]
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
