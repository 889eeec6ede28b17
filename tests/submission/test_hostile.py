"""Submissions that attack the grader: none gains a point by its trick, stops the grading, or leaves a trace.

Each is graded in the sandbox, behind Landlock and without (attacks.py), beside the wrong network that they are all
built on: one in twenty in `make test`, all in `make attacks`.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.check_ids import needs_training
from grader.grade import grade
from grader.grading_config import load_grading
from grader.reports.terminal import render
from grader.results import Check, Results
from grader.submission.process import OUTPUT_LIMIT
from grader.submission.sandbox import find_sandbox
from grader.submission.sources import MOST
from grader.worker.processes import descendants
from tests.conftest import ROOT
from tests.proof.attacks import HOSTILE, NAMES, WAYS, Outcome, attack, claims, is_seen_in_the_source, ways_here
from tests.support.everything import EVERYTHING

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

NAMED = ("prints_100_mb", "terminal_codes", "pytest_skip")  # below
CHOSEN = [name for i, name in enumerate(NAMES) if EVERYTHING or i % 20 == 0 or name in NAMED]
PLANNED = sorted(i for i in load_grading().points if i.startswith("level1.") and not needs_training(i))
WITH_FIVE = {"level1.contract.shapes"}  # the checks with 5 images in eval mode
WITH_THREE_CHANNELS = {
    "level1.contract.builds", "level1.contract.other_shapes", "level1.contract.every_data_set",
    "level1.training.all_parameters",
}  # fmt: skip

# What only the walls prevent, as docs/security.md says; strict, so that whoever closes a gap learns of it.
OPEN = {
    "remembers_in_attributes": "nothing keeps the worker from changing what it may not write to",
    "remembers_in_dev_shm": "nothing hides the machine's shared memory",
    "remembers_in_keyring": "nothing refuses the kernel's keyring",
    "remembers_in_shared_memory": "nothing refuses System V shared memory",
    "rewrites_results": "nothing keeps the worker from writing outside of its folder",
    "writes_everywhere": "nothing keeps the worker from writing outside of its folder",
}


if os.getuid() == 0:
    OPEN["reads_parents_memory"] = "nothing hides the fork server's memory from root"
BOMBS = {"fork_bomb", "thread_bomb"}  # may have no thread left to answer with


RAISING = (
    ("pytest_skip", "pytest.skip"), ("unittest_skip", "raise unittest"), ("pytest_exit", "pytest.exit"),
    ("keyboard_interrupt", "raise KeyboardInterrupt"), ("sys_exit_at_import", "sys.exit"),
)  # fmt: skip


@pytest.fixture(scope="module")
def attacked() -> Iterator[Callable[[str, str], Outcome]]:
    """(way, name) → outcome; grading begins on first use, and each test waits for its own."""
    outcomes: dict[tuple[str, str], Outcome] = {}
    coming = attack(CHOSEN, ways_here())

    def of(way: str, name: str) -> Outcome:
        if way not in ways_here():
            pytest.skip(str(find_sandbox("auto")))
        while (way, name) not in outcomes:
            came_from, outcome = next(coming)
            outcomes[came_from, outcome.name] = outcome
        return outcomes[way, name]

    yield of
    coming.close()


def expected_changes(name: str) -> tuple[set[str], set[str]]:
    """Which verdicts of the underlying network must change, and which may."""
    seen = {"level1.own_work"} if is_seen_in_the_source(name) else set()
    if (reported := claims(name)) is None:
        return seen, set(PLANNED) if name in BOMBS else seen
    must = seen | {reported[1]}
    if reported[0] == "timeout" and name != "loops_at_import":
        both = WITH_THREE_CHANNELS if name == "loops_in_init" else WITH_FIVE
        return must | both, seen | both
    return must, set(PLANNED)


def parameters() -> list:
    marks = {name: [pytest.mark.xfail(reason=reason, strict=True)] for name, reason in OPEN.items()}
    return [
        pytest.param(way, name, marks=marks.get(name, []) if way == "plain" else [], id=f"{way}-{name}")
        for way in WAYS for name in CHOSEN
    ]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_network_underneath_is_wrong(way, attacked):
    outcome = attacked(way, "honest")
    assert not outcome.fault and not outcome.strays and not outcome.left
    honest = outcome.verdicts()
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


@pytest.mark.parametrize(("way", "name"), parameters())
def test_gains_nothing(way, name, attacked):
    outcome, honest = attacked(way, name), attacked(way, "honest").verdicts()
    assert not outcome.fault
    verdicts = outcome.verdicts()
    assert sorted(verdicts) == PLANNED
    assert "did not run" not in [check["message"] for check in outcome.results["checks"]]
    assert not [k for k, verdict in verdicts.items() if verdict == "passed" and honest[k] != "passed"]

    changed = {k for k, verdict in verdicts.items() if verdict != honest[k]}
    must, may = expected_changes(name)
    assert must <= changed <= may  # everything unrelated to the trick is judged as usual
    if reported := claims(name):
        assert verdicts[reported[1]] == reported[0]

    assert not outcome.left
    assert not outcome.strays


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "line"),
    [(name, line) for name, line in RAISING if name in CHOSEN],
)
def test_traceback_ends_in_the_students_own_line(way, name, line, attacked):
    check = attacked(way, name).check(claims(name)[1])
    file, number = check["location"].split(":")
    assert file == "model.py"
    assert (HOSTILE / f"{name}.py").read_text().splitlines()[int(number) - 1].strip().startswith(line)
    assert check["trace"].splitlines()[-1].strip().startswith(f"model.py:{number}: {line}")


def test_output_is_cut(attacked):
    printed = {check["id"]: len(check["output"]) for check in attacked("plain", "prints_100_mb").results["checks"]}
    assert {printed.pop(name) for name in WITH_FIVE} == {OUTPUT_LIMIT} == {64 << 10}
    assert max(printed.values()) < 2000  # shown under the checks that caused it, and nowhere else


def test_report_has_no_codes_for_the_terminal(attacked):
    found = attacked("plain", "terminal_codes").check("level1.contract.shapes")
    shown = Check(found["id"], found["claim"], 1.0, found["verdict"], found["message"], output=found["output"])
    assert "\x1b" in shown.output + shown.message
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", render(Results(Path(), {}, [shown])))


# ---- files that are not Python at all

BROKEN = {
    "empty": (lambda file: file.write_bytes(b""), "error", "defines no class DiffusionModel"),
    "not_utf8": (lambda file: file.write_bytes(b"\xff\xfe\x00x = 1"), "error", "SyntaxError"),
    "syntax": (lambda file: file.write_text("def f(:"), "error", "SyntaxError: invalid syntax"),
    "nested": (lambda file: file.write_text("x = " + "(" * 5000), "error", "too many nested parentheses"),
    "symlink": (
        lambda file: file.symlink_to(ROOT / "tests" / "support" / "networks.py"),
        "failed",
        "is a symbolic link",
    ),
    "symlink_to_endless": (lambda file: file.symlink_to("/dev/zero"), "failed", "is a symbolic link"),
    "folder": (lambda file: file.mkdir(), "failed", "model.py is a folder; expected a file"),
    "large": (lambda file: file.write_bytes(b"x = 1\n" * 8_400_000), "failed", f"expected at most {MOST:,}"),
    "pipe": (lambda file: os.mkfifo(file), "failed", "model.py is no regular file"),
}


@pytest.mark.parametrize(("make", "verdict", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_source_fails_in_one_line(make, verdict, says, tmp_path):
    make(tmp_path / "model.py")
    (check,) = grade(
        tmp_path, levels=[1], config=ROOT / "configs" / "digits.yaml", overrides=["runtime.device=cpu"], quiet=True,
        only=["level1.contract.builds"].__contains__,
    ).checks  # fmt: skip
    assert check.verdict == verdict
    assert says in check.message and "\n" not in check.message


# ---- a killed judge


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def alive(pids: set[int]) -> list[int]:
    """Those that exist and are not zombies."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [
        pid for pid, stat in stats.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    ]


@pytest.mark.parametrize("kind", ["auto", "none"])
def test_worker_does_not_outlive_a_killed_judge(kind, tmp_path):
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / "model.py").write_text("while True:\n    pass\n")
    (tmp_path / "temporary").mkdir()
    judge = subprocess.Popen(
        [sys.executable, "-m", "grader", folder, "--level", "1", "--config", "configs/digits.yaml",
         "--sandbox", kind, "--output", tmp_path / "out", "runtime.device=cpu"],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    started: set[int] = set()
    try:
        submissions = f"grading-*/submission-*{'/scratch' if kind == 'none' else ''}"
        assert wait_for(lambda: list((tmp_path / "temporary").glob(submissions)), 60)
        assert wait_for(lambda: len(descendants(set(), of=judge.pid)) >= 2, 60)  # fork server, worker
        started = descendants(set(), of=judge.pid)
        judge.kill()
        judge.wait()
        assert wait_for(lambda: not alive(started), 5)
    finally:
        judge.kill()
        judge.wait()
        for pid in alive(started):
            os.kill(pid, signal.SIGKILL)
