"""Fixtures shared by all levels. A pytest plugin, registered by conftest.py."""

import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from assignment.ddpm.config import Config
from assignment.ddpm.device import choose_device
from grader import __version__
from grader.check_ids import config_file
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.own_work import check_own_work
from grader.errors import NotImplementedYet, SubmissionFailed, TimedOut
from grader.grading_config import grading_digest
from grader.runs import settings_for
from grader.student.deadlines import Deadlines
from grader.student.once import Once
from grader.submission.in_process import InProcessSubmission
from grader.submission.process import AnySubmission, Submission
from grader.submission.weights_files import digests
from grader.suite.judge import Judge
from grader.suite.live import Live
from grader.suite.trainings import Trainings


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest) -> Judge:
    found = request.config.pluginmanager.get_plugin("judge")
    assert isinstance(found, Judge), "conftest.py registers one"
    return found


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Config:
    option = request.config.option
    return settings_for(config_file(1, option.config), option.set, trusted=option.trusted)


@pytest.fixture(scope="session")
def device(settings: Config) -> str:
    return str(choose_device(settings.runtime.device).value)


@pytest.fixture(scope="session")
def seed(judge: Judge) -> int:
    return judge.seed.number


@pytest.fixture(scope="session")
def submission(
    judge: Judge, request: pytest.FixtureRequest, device: str, seed: int, settings: Config
) -> Iterator[AnySubmission]:
    path = request.config.option.submission
    if judge.in_process:
        judge.submission = InProcessSubmission(path, device=device)
    else:
        fork_server = judge.fork_server_for(device)
        judge.submission = Submission(path, fork_server, device=device)
    judge.results.sha256 = digests(path, [] if request.config.option.trusted else judge.trained_configs)
    given = request.config.option.config
    configs = {level: config_file(level, given).stem for level in sorted({c.level for c in judge.results.checks})}
    judge.results.environment = {
        "grader": __version__, "grading": grading_digest(), "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(), "device": device, "seed": seed, "seed_is": judge.seed.origin,
        "config": ", ".join(sorted(set(configs.values()))),
        "configs": {str(level): name for level, name in configs.items()},
        "guards": judge.guards(device),
        "config_file": str(given or ""), "overrides": request.config.option.set,
        "advisory": "; ".join(
            why for why, so in (
                ("the submission ran in the judge's own process (--in-process)", judge.in_process),
                ("ready-made networks were allowed (--trusted)", request.config.option.trusted),
            ) if so
        ),
    }  # fmt: skip
    yield judge.submission
    judge.submission.close()


@pytest.fixture(scope="session")
def deadlines(judge: Judge, settings: Config, device: str, submission: AnySubmission) -> Deadlines:
    return judge.deadlines(settings, device)


@pytest.fixture(scope="session")
def trainings(judge: Judge, submission: AnySubmission, request: pytest.FixtureRequest) -> Trainings:
    return Trainings(judge, submission, request.config.option)


WithProgress = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def with_progress(request: pytest.FixtureRequest) -> WithProgress:
    """Within `with with_progress():` progress is shown, on its own lines; pytest would capture it."""

    capture: Any = request.config.pluginmanager.get_plugin("capturemanager")  # pytest's own, and private
    live = request.config.pluginmanager.get_plugin("live")
    assert isinstance(live, Live), "conftest.py registers one"

    @contextmanager
    def shown() -> Iterator[None]:
        with live.paused(), capture.global_and_fixture_disabled():
            yield

    return shown


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Path:
    """The folder for pictures."""
    return request.config.option.figures


@pytest.fixture
def measured() -> dict[str, Any]:
    """What a test measured, for results.json."""
    return {}


ShowPicture = Callable[[str, str, str, str, Callable[[Path], object]], None]  # name, title, alt, caption, save


@pytest.fixture(scope="session")
def show_picture(judge: Judge, figures: Path) -> ShowPicture:
    """Draw and show a picture on which no verdict depends; one that can't be written is reported as left out."""

    def show(name: str, title: str, alt: str, caption: str, save: Callable[[Path], object]) -> None:
        try:
            save(figures / name)
        except OSError as error:
            judge.inform(title, f"left out: {error}")
        else:
            judge.show(figures / name, title, alt, caption)

    return show


def wait_for(waits: str, failed: CheckFailed | SubmissionFailed, judge: Judge, *, level: int) -> NoReturn:
    """Raise NotJudged, as a check builds on something that failed; or the failure itself where no row has told of it.

    Args:
        waits: "waits for" and what

    A timeout may come and go: what the checks before were given in time may be late for this one.
    """
    told = (check.verdict for check in judge.results.checks if check.level == level)
    if isinstance(failed, TimedOut) and not any(verdict not in ("passed", "not_judged") for verdict in told):
        raise failed
    raise NotJudged(f"{waits}: {failed.message}") from failed


def unless_a_stub(once: Once[Any]) -> None:
    """Raises NotImplementedYet if the starter's stub is still there: an unwritten answer is not a right one."""
    try:
        once()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed):
        pass  # other checks report it


def judge_own_work(offences: list[tuple[str, int, str]], contract: Once[Any]) -> None:
    """What is refused is told whatever else is wrong; code that can't be run earns no points for being one's own."""
    check_own_work(offences)
    try:
        contract()
    except SubmissionFailed as error:
        raise NotJudged(f"waits for the contract: {error.message}") from error
    except CheckFailed:
        pass  # it runs, and other checks report what it answers


def unreadable(file: str, error: SyntaxError | ValueError) -> NotJudged:
    """model.py can't be read as Python, and where."""
    where = f"{file}:{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else file
    return NotJudged(f"waits for contract.builds: {where} can't be read as Python: {getattr(error, 'msg', error)}")
