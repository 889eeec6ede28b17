"""The grader as a pytest suite: options, fixtures, and how a test's outcome becomes a check's verdict.

A test is one claim: its docstring is the sentence that a student reads, `@check(id)` names it, and its points stand in
configs/grading.yaml. `python -m grader` runs this same suite.
"""

import atexit
import platform
import secrets
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from grader.nursery import Nursery


def pytest_configure(config: pytest.Config) -> None:
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"  # the table says it in a line each, and the first failure in full
    config.option.reportchars = "N"
    if not config.option.collectonly and not config.option.help:
        config.pluginmanager.register(Judge(config), "judge")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What -m and -k go by: the level, and the parts of a check's id."""
    for item in items:
        level, *names = item.get_closest_marker("check").args[0].split(".")
        item.add_marker(level)
        item.extra_keyword_matches.update(names)


@cache
def shared_nursery(*, fork: bool) -> Nursery:
    """One for all the gradings of this process; it ends with it."""
    nursery = Nursery(fork=fork)
    atexit.register(nursery.close)
    return nursery


class Judge:
    """Owns the worker's nursery and the results of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.in_process = config.option.in_process
        # before torch is imported here, so that both processes import it at the same time
        self.nursery = None if self.in_process else shared_nursery(fork=platform.system() == "Linux")
        self.results = None
        self.checks: dict[str, Any] = {}
        self.faults: list[str] = []
        self.submission = None

    def inform(self, name: str, says: str) -> None:
        """Something about the submission that gives no points."""
        self.results.information[name] = says

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from grader.grading import load_grading
        from grader.results import Check, Results

        points = load_grading().points
        ids = [item.get_closest_marker("check").args[0] for item in session.items]
        for item, check_id in zip(session.items, ids, strict=True):
            claim = " ".join(item.function.__doc__.strip().split("\n\n")[0].split())
            self.checks[item.nodeid] = Check(check_id, claim, points[check_id])
        self.results = Results(self.config.option.submission, {}, list(self.checks.values()))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()
        check = self.checks[item.nodeid]
        check.seconds += call.duration
        if call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return
        from grader import verdict

        check.measurements |= item.funcargs.get("measured") or {}
        if self.submission and not self.in_process:
            check.output = self.submission.take_printed()
        try:
            verdict.apply(check, call.excinfo and call.excinfo.value, in_process=self.in_process)
        except verdict.Ours:
            self.faults.append(f"{check.id}: {call.excinfo.exconly()}")
            return  # pytest shows it as it is
        if check.verdict != "passed":
            from grader.reports.terminal import details

            report.outcome = "failed"  # never skipped: what was not judged has not passed
            report.longrepr = details(check)
            report.verdict = check.verdict

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple | None:
        verdict = getattr(report, "verdict", None)  # also of a fixture, which pytest would call an error of ours
        if verdict is None:
            return None
        return ("not judged", "N", "NOT JUDGED") if verdict == "not_judged" else ("failed", "F", verdict.upper())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.faults:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        if self.submission:
            self.submission.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.faults:
            for fault in self.faults:
                terminalreporter.write_line(f"the grader itself failed, nothing is said about the submission: {fault}")
        elif self.results and self.results.checks:
            from grader.reports.terminal import details, render

            terminalreporter.write_line(render(self.results))
            if self.config.option.details:
                for check in self.results.checks:
                    if check.verdict != "passed":
                        terminalreporter.write_line("\n" + details(check).replace("First to look at: ", ""))


class Once:
    """Something expensive that several checks need: done at the first call; a failure is kept and raised again."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make, self.value, self.error = make, None, None

    def __call__(self) -> Any:
        if self.make is not None:
            make, self.make = self.make, None
            try:
                self.value = make()
            except Exception as error:
                self.error = error
        if self.error is not None:
            raise self.error
        return self.value


def unless_a_stub(once: Once) -> None:
    """Raises NotImplementedYet where the starter's stub still stands: an unwritten answer is no right one."""
    from grader.checks.finding import CheckFailed
    from grader.errors import NotImplementedYet, SubmissionFailed

    try:
        once()
    except NotImplementedYet:
        raise
    except (CheckFailed, SubmissionFailed):
        pass  # for other checks to say


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest) -> Judge:
    return request.config.pluginmanager.get_plugin("judge")


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Any:
    from assignment.ddpm.config import load_config

    return load_config(request.config.option.config, request.config.option.set)


@pytest.fixture(scope="session")
def device(settings: Any) -> str:
    from assignment.ddpm.device import choose_device

    return str(choose_device(settings.runtime.device).value)


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.option.seed
    return secrets.randbits(63) if given is None else given


@pytest.fixture(scope="session")
def submission(judge: Judge, request: pytest.FixtureRequest, device: str, seed: int, settings: Any) -> Any:
    import torch

    from grader import __version__

    path = request.config.option.submission
    if judge.in_process:
        from grader.in_process import InProcessSubmission

        judge.submission = InProcessSubmission(path, device=device)
    else:
        from grader.submission import Submission

        if device != "cpu" and judge.nursery.fork:  # CUDA does not survive a fork
            judge.nursery = shared_nursery(fork=False)
        judge.submission = Submission(path, judge.nursery, device=device)
    judge.results.environment = {
        "grader": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "platform": platform.platform(), "device": device, "config": request.config.option.config.stem, "seed": seed,
        "guards": ["process boundary", "deadlines", "import block"] if not judge.in_process else [],
        "advisory": "the submission ran in the judge's own process (--in-process)" if judge.in_process else "",
    }  # fmt: skip
    return judge.submission


@pytest.fixture(scope="session")
def pace(judge: Judge, settings: Any, device: str) -> Any:
    from grader import pace

    return pace.remembered(settings, judge.nursery, device) if not judge.in_process else pace.UNHURRIED


@pytest.fixture
def measured() -> dict[str, Any]:
    """What a test measured; goes into results.json."""
    return {}
