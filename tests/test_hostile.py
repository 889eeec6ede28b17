"""Submissions that attack the grader: none gains a point by its trick, none stops the grading, none leaves a trace.

All rest on the same wrong network (tests/submissions/hostile/honest.py), whose own verdicts they are compared with.
"""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch

import grader.fixtures_network
import grader.network
import grader.pace
import grader.test_level1
from grader.grade import grade
from grader.grading import GRADING, load_grading
from grader.reports.terminal import render
from grader.results import Check, Results
from grader.rubric import needs_training
from grader.submission import OUTPUT_LIMIT
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

HOSTILE = ROOT / "tests" / "submissions" / "hostile"
NAMES = sorted(file.stem for file in HOSTILE.glob("*.py") if file.stem not in ("__init__", "honest"))
PLANNED = sorted(i for i in load_grading().points if i.startswith("level1.") and not needs_training(i))
DEADLINES = {"loops_at_import": 0.5, "loops_for_five": 5.0, "sleeps_in_c": 5.0}  # seconds, in place of pace.FLOOR
WITH_FIVE = {"level1.contract.shapes", "level1.batch.order"}  # the checks that ask about 5 images in eval mode
LAST = "kills_its_parent"  # takes the nursery with it that all the others share

# What is known and not closed; strict, so that the one who closes it hears of it.
HOLES = {
    "patched_generator": "the probes look up torch's functions after the student could patch them",
    "patched_gradients": "gradients are looked at where the student could have put them",
    "rewrites_results": "nothing keeps the worker from writing outside of its folder",
}  # fmt: skip


@dataclass
class Outcome:
    results: Results | None
    fault: str  # of the grader
    strays: list[str]  # files that were written where nothing should be
    left: list[int]  # processes that are still there

    def __getitem__(self, check_id: str) -> Check:
        return next(check for check in self.results.checks if check.id == check_id)

    def verdicts(self) -> dict[str, str]:
        return {check.id: check.verdict for check in self.results.checks}


def processes(test: Callable[[Path], bool]) -> list[int]:
    """Pids of which test(/proc/PID) holds."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if test(entry):
                found.append(int(entry.name))
    return found


def lay_out(name: str, folder: Path) -> Path:
    """The folder as it is handed in; beside some lie files that pytest would read."""
    folder.mkdir(parents=True)
    shutil.copy(HOSTILE / f"{name}.py", folder / "model.py")
    if name == "conftest_beside":
        hook = "def pytest_runtest_makereport(item, call):\n    call.excinfo = None\n"
        for file in ("conftest.py", "sitecustomize.py", "grader.py"):
            (folder / file).write_text(hook)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    return folder


def quick(path: Path = GRADING):
    """An overfit run of 20 steps: the network under all of these learns nothing in 300 either."""
    grading = load_grading(path)
    return replace(grading, overfit={k: replace(b, steps=20) for k, b in grading.overfit.items()})


def sweep() -> None:
    """Collect what a grading that failed has left open, before pytest makes an error of it in some other test."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def attack(name: str, home: Path) -> Outcome:
    """Grade, with all temporary files below home/temporary, from home/here."""
    submission, temporary, here = lay_out(name, home / "handed in"), home / "temporary", home / "here"
    temporary.mkdir(), here.mkdir()
    results, fault = None, ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        for module in (grader.test_level1, grader.fixtures_network):
            patch.setattr(module, "load_grading", quick)
        for module in (grader.pace, grader.network):
            patch.setattr(module, "FLOOR", DEADLINES.get(name, 20.0))
        patch.chdir(here)
        try:
            results = grade(
                submission, levels=[1], config=ROOT / "configs" / "digits.yaml", quiet=True,
                overrides=["runtime.device=cpu"], seed=1, options=["-m", "not trained"],
            )  # fmt: skip
            results.save(home / "results.json")
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
    if fault:
        sweep()
    left = processes(lambda entry: os.readlink(entry / "cwd").startswith(str(temporary)))
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    ours = {home / "results.json", *submission.iterdir()}
    strays = [str(file.relative_to(home)) for file in home.rglob("*") if file.is_file() and file not in ours]
    return Outcome(results, fault, strays, left)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Outcome]]:
    """Name → outcome, graded at the first call."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()  # pytest collects garbage five times at the end of each grading
    yield cache(lambda name: attack(name, tmp_path_factory.mktemp(name)))
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def honest(attacked: Callable[[str], Outcome]) -> dict[str, str]:
    """The verdicts of the network without any trick."""
    outcome = attacked("honest")
    assert not outcome.fault and not outcome.strays and not outcome.left
    return outcome.verdicts()


def claims(name: str) -> tuple[str, str] | None:
    """(verdict, check id) of a docstring's `Reported:`; None where it says `Gains: nothing`."""
    last = (HOSTILE / f"{name}.py").read_text().split('"""')[1].strip().splitlines()[-1]
    found = re.fullmatch(r"Reported: (\w+) at (\S+)|Gains: nothing", last)
    assert found, f"{name}: {last}"
    return found.groups() if found[1] else None


def known(name: str) -> object:
    hole = [pytest.mark.xfail(reason=HOLES[name], strict=True)] if name in HOLES else []
    return pytest.param(name, marks=hole)


def test_the_network_underneath_is_wrong(honest):
    assert sorted(honest) == PLANNED
    assert sorted(name.removeprefix("level1.") for name, verdict in honest.items() if verdict == "passed") == [
        "behaviour.deterministic", "behaviour.no_hidden_state", "contract.autocast", "contract.builds",
        "contract.finite", "contract.output", "contract.shapes", "own_work",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_network_underneath_is_that_of_the_honest_one(name):
    def wrong(file: Path) -> list[str]:
        text = re.search(r"^class Wrong.*?(?=^\S(?<!class Wrong))", file.read_text()[1:], re.DOTALL | re.MULTILINE)[0]
        return [line.split("  #")[0].rstrip() for line in text.splitlines() if line.strip()]

    assert wrong(HOSTILE / f"{name}.py") == wrong(HOSTILE / "honest.py")


@pytest.mark.parametrize("name", [known(name) for name in sorted(NAMES, key=LAST.__eq__)])
def test_gains_nothing(name, attacked, honest):
    outcome, reported = attacked(name), claims(name)
    assert not outcome.fault

    verdicts = outcome.verdicts()
    assert sorted(verdicts) == PLANNED
    assert "did not run" not in [check.message for check in outcome.results.checks]
    assert not [k for k, verdict in verdicts.items() if verdict == "passed" and honest[k] != "passed"]

    changed = {k for k, verdict in verdicts.items() if verdict != honest[k]}
    if reported is None:
        assert not changed  # what has nothing to do with the trick is judged as ever
    else:
        assert verdicts[reported[1]] == reported[0]
    if reported and reported[0] == "timeout" and name != "loops_at_import":
        assert changed == WITH_FIVE

    assert not outcome.left
    assert not outcome.strays


@pytest.mark.parametrize(
    ("name", "line"),
    [("pytest_skip", "pytest.skip"), ("unittest_skip", "raise unittest"), ("pytest_exit", "pytest.exit"),
     ("keyboard_interrupt", "raise KeyboardInterrupt"), ("sys_exit_at_import", "sys.exit")],
)  # fmt: skip
def test_traceback_ends_in_the_students_own_line(name, line, attacked):
    check = attacked(name)[claims(name)[1]]
    file, number = check.location.split(":")
    assert file == "model.py"
    assert (HOSTILE / f"{name}.py").read_text().splitlines()[int(number) - 1].strip().startswith(line)
    assert check.trace.splitlines()[-1].strip().startswith(f"model.py:{number}: {line}")


def test_output_is_cut(attacked):
    printed = {check.id: len(check.output) for check in attacked("prints_100_mb").results.checks}
    assert {printed.pop(name) for name in WITH_FIVE} == {OUTPUT_LIMIT} == {64 << 10}
    assert max(printed.values()) < 2000  # shown under the checks that caused it, and nowhere else


def test_report_has_no_codes_for_the_terminal(attacked):
    results = attacked("terminal_codes").results
    shown = [check for check in results.checks if check.id == "level1.contract.shapes"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", render(replace(results, checks=shown)))


def of(home: Path) -> list[int]:
    """Pids of the judge that was started with HOSTILE_TEST=home, and of all that it started."""
    return processes(lambda entry: f"HOSTILE_TEST={home}\0".encode() in (entry / "environ").read_bytes())


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_worker_does_not_outlive_a_killed_judge(tmp_path):
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / "model.py").write_text('open("looping", "w").close()\nwhile True:\n    pass\n')
    (tmp_path / "temporary").mkdir()
    judge = subprocess.Popen(
        [sys.executable, "-m", "grader", folder, "--level", "1", "--config", "configs/digits.yaml",
         "--output", tmp_path / "out", "runtime.device=cpu"],
        cwd=ROOT, env=os.environ | {"HOSTILE_TEST": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert wait_for(lambda: list((tmp_path / "temporary").glob("*/looping")), 60)
        assert len(of(tmp_path)) >= 3  # judge, nursery, worker
        judge.kill()
        judge.wait()
        assert wait_for(lambda: not of(tmp_path), 5)
    finally:
        for pid in of(tmp_path):
            os.kill(pid, signal.SIGKILL)
