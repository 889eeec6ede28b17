"""The latest of every level, from gradings of one level, or of one check, each."""

import json
import os
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader.reports import command
from grader.reports.latest import WRITTEN, latest, remember
from grader.results import Check, Results
from tests.reports.made_results import checked

GRADE, CHECKS = WRITTEN


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder in which commands are typed, with work that can be graded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assignment").mkdir()
    write("one")
    return tmp_path


def write(code: str) -> None:
    for name in ("model.py", "sampler.py"):
        Path("assignment", name).write_text(code)


TIMES = iter(range(1000, 2000))


def grade(*checks: Check, to: Path = CHECKS, config: str = "digits", **fields) -> None:
    """As the suite leaves its results."""
    from grader.submission.sources import read_sources, sha256

    work = Path("assignment")
    environment = {"grader": "1", "configs": {str(check.level): config for check in checks}, "config": config}
    results = Results(work, environment, list(checks), sha256=sha256(read_sources(work)), **fields)
    results.save(to)
    if to == CHECKS:
        remember(results, to.parent)
    for file in (to, *(to.parent / "levels").glob("*.json")):
        if file.stat().st_mtime > 1e6:
            os.utime(file, (now := next(TIMES), now))


def verdicts() -> dict[str, str]:
    return {check["id"]: check["verdict"] for check in latest()[0]["checks"]}


def test_each_level_is_there_as_it_was_judged_last(home):
    with pytest.raises(UserError, match="no results yet"):
        latest()
    grade(checked("level1.a.b", "failed"), checked("level4.a.b", "failed"), to=GRADE)
    grade(checked("level1.a.b"), checked("level1.a.c"))
    results, folder, _ = latest()
    assert verdicts() == {"level1.a.b": "passed", "level1.a.c": "passed", "level4.a.b": "failed"}
    assert (results["score"], results["max_score"], folder) == (2, 3, CHECKS.parent)
    grade(checked("level4.a.b"))
    assert set(verdicts().values()) == {"passed"}
    grade(checked("level1.a.b", "failed"), to=GRADE)  # the whole again, elsewhere
    assert verdicts() == {"level1.a.b": "failed", "level4.a.b": "passed"}


def test_one_check_again_leaves_the_others_as_they_were_said(home):
    grade(checked("level1.a.b", "failed"), checked("level1.a.c"), information={"parameters": "1"})
    write("two")
    grade(checked("level1.a.b"))
    assert verdicts() == {"level1.a.b": "passed", "level1.a.c": "passed"}
    results = latest()[0]
    assert results["information"] == {"parameters": "1"} and list(verdicts()) == ["level1.a.b", "level1.a.c"]
    assert results["environment"]["changed"] == {"1": "model.py"}  # since the other one was judged
    assert "Level 1: Network · digits · assignment/ · model.py has changed since" in command.FORMATS["text"](results)
    assert "Level 1: Network · digits · model.py has changed since" in command.FORMATS["html"](results)
    grade(checked("level1.a.b"), checked("level1.a.c"))
    assert latest()[0]["environment"]["changed"] == {}


def test_a_level_of_two_files_has_changed_with_either(home):
    file = home / "assignment" / "sampler.py"
    file.write_text("one")
    grade(checked("level6.a.b"), checked("level1.a.b"))
    file.write_text("two")
    assert latest()[0]["environment"]["changed"] == {"6": "sampler.py"}


def test_another_data_set_and_another_folder_are_another_story(home):
    grade(checked("level1.a.b"), checked("level1.a.c"), checked("level4.a.b"))
    grade(checked("level1.a.b"), config="cifar10")
    assert verdicts() == {"level1.a.b": "passed", "level4.a.b": "passed"}
    assert latest()[0]["environment"]["configs"] == {"1": "cifar10", "4": "digits"}
    (home / "assignment").rename(home / "theirs")
    found = json.loads(CHECKS.read_text())
    found["submission"]["path"] = "theirs"
    GRADE.write_text(json.dumps(found))  # newest, and of somebody else
    assert verdicts() == {"level1.a.b": "passed"}


def test_pictures_are_taken_from_where_they_lie(home, capsys):
    png = bytes.fromhex("89504e470d0a1a0a")
    for folder, name in ((GRADE.parent, "level4-steps.png"), (CHECKS.parent, "level1-samples.png")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png)
    figures = [{"file": name, "title": name, "alt": ""} for name in ("level4-steps.png", "level1-samples.png")]
    grade(checked("level4.a.b"), to=GRADE, figures=figures[:1])
    grade(checked("level1.a.b"), figures=figures[1:])
    assert command.main(["--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.count("data:image/png") == 2 and "left out" not in page
