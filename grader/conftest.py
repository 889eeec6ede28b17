"""The grader as a pytest suite: options, fixtures, and how a test's outcome becomes a check's verdict.

A test is one claim: its docstring is the sentence that a student reads, `@check(id)` names it, and its points stand in
configs/grading.yaml. `python -m grader` runs this same suite.
"""

import atexit
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from assignment.ddpm.errors import UserError
from grader.errors import GraderFault
from grader.grading import load_grading
from grader.limits import describe
from grader.nursery import Nursery
from grader.once import Once
from grader.provisional import notes
from grader.rubric import config_file, needs_training
from grader.sandbox import find_sandbox


def pytest_configure(config: pytest.Config) -> None:
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"  # the table says it in a line each, and the first failure in full
    config.option.reportchars = "N"
    if not config.option.collectonly and not config.option.help:
        config.pluginmanager.register(Judge(config), "judge")  # starts importing torch elsewhere, so before we do
        for plugin in ("grader.fixtures_network", "grader.fixtures_trained"):
            config.pluginmanager.import_plugin(plugin)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What -m and -k go by: the level, whether it needs trained weights, and the parts of a check's id."""
    if wanted := config.option.check:
        items[:] = [item for item in items if item.get_closest_marker("check").args[0] in wanted]
    for item in items:
        check_id = item.get_closest_marker("check").args[0]
        level, *names = check_id.split(".")
        item.add_marker(level)
        if needs_training(check_id):
            item.add_marker("trained")
        item.extra_keyword_matches.update(names)


@cache
def shared_nursery(*, fork: bool, sandbox: str = "auto", trusted: bool = False) -> Nursery:
    """One for all the gradings of this process; it ends with it. Raises GraderFault as `find_sandbox` does."""
    nursery = Nursery(fork=fork, sandbox=find_sandbox(sandbox), limits=load_grading().limits, trusted=trusted)
    atexit.register(nursery.close)
    return nursery


class Judge:
    """Owns the worker's nursery and the results of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.in_process = config.option.in_process
        # before torch is imported here, so that both processes import it at the same time
        try:
            self.nursery = None if self.in_process else self._nursery(fork=platform.system() == "Linux")
        except (GraderFault, UserError) as fault:
            raise pytest.UsageError(str(fault)) from fault
        self.results = None
        self.seed, self.seed_is = 0, ""
        self.checks: dict[str, Any] = {}
        self.faults: list[str] = []
        self.submission = None

    def _nursery(self, *, fork: bool, trusted: bool = False) -> Nursery:
        option = self.config.option
        return shared_nursery(fork=fork, sandbox=option.sandbox, trusted=trusted or option.trusted)

    def pace(self, settings: Any, device: str) -> Any:
        """The reference's times on this machine."""
        from grader import pace

        if self.in_process:
            return pace.UNHURRIED
        return pace.remembered(settings, lambda: self._nursery(fork=self.nursery.fork, trusted=True), device)

    def nursery_for(self, device: str) -> Nursery:
        """One whose workers can use the device: CUDA does not survive a fork."""
        if device != "cpu" and self.nursery.fork:
            self.nursery = self._nursery(fork=False)
        return self.nursery

    def guards(self, device: str) -> list[str]:
        """What was in force between the submission and the rest of the machine."""
        if self.in_process:
            return []
        limits = self.nursery.limits
        own = [] if self.config.option.trusted else ["import block"]
        return ["process boundary", "deadlines", *own, str(self.nursery.sandbox), describe(limits, device)]

    def inform(self, name: str, says: str) -> None:
        """Something about the submission that gives no points."""
        self.results.information[name] = says

    def show(self, picture: Path, title: str, alt: str) -> None:
        """A picture for the reports; it lies beside results.json. `alt` says what is to be seen, for who can't."""
        self.results.figures.append({"file": picture.name, "title": title, "alt": alt})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from grader.results import Check, Results
        from grader.seeds import choose_seed

        option = self.config.option
        try:
            self.seed, self.seed_is = choose_seed(option.submission, option.seed, option.secret_seed)
        except UserError as error:
            raise pytest.UsageError(str(error)) from error

        points = load_grading().points
        ids = [item.get_closest_marker("check").args[0] for item in session.items]
        for item, check_id in zip(session.items, ids, strict=True):
            claim = " ".join(item.function.__doc__.strip().split("\n\n")[0].split())
            self.checks[item.nodeid] = Check(check_id, claim, points[check_id])
        self.results = Results(self.config.option.submission, {}, list(self.checks.values()))
        self.results.information |= notes({check.level for check in self.checks.values()}, option.config)

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

    return load_config(config_file(1, request.config.option.config), request.config.option.set)


@pytest.fixture(scope="session")
def device(settings: Any) -> str:
    from assignment.ddpm.device import choose_device

    return str(choose_device(settings.runtime.device).value)


@pytest.fixture(scope="session")
def seed(judge: Judge) -> int:
    return judge.seed


@pytest.fixture(scope="session")
def submission(judge: Judge, request: pytest.FixtureRequest, device: str, seed: int, settings: Any) -> Any:
    import torch

    from grader import __version__
    from grader.sources import sha256

    path = request.config.option.submission
    if judge.in_process:
        from grader.in_process import InProcessSubmission

        judge.submission = InProcessSubmission(path, device=device)
    else:
        from grader.submission import Submission

        nursery = judge.nursery_for(device)
        judge.submission = Submission(path, nursery, device=device)
    judge.results.sha256 = sha256(judge.submission.sources)
    judge.results.environment = {
        "grader": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "platform": platform.platform(), "device": device, "seed": seed, "seed_is": judge.seed_is,
        "config": ", ".join(
            sorted({config_file(check.level, request.config.option.config).stem for check in judge.results.checks})
        ),
        "guards": judge.guards(device),
        "config_file": str(request.config.option.config or ""), "overrides": request.config.option.set,
        "advisory": "; ".join(
            why for why, so in (
                ("the submission ran in the judge's own process (--in-process)", judge.in_process),
                ("ready-made networks were allowed (--trusted)", request.config.option.trusted),
            ) if so
        ),
    }  # fmt: skip
    return judge.submission


@pytest.fixture(scope="session")
def pace(judge: Judge, settings: Any, device: str, submission: Any) -> Any:
    return judge.pace(settings, device)


class Trainings:
    """The finished trainings that the levels judge, one for each configuration."""

    def __init__(self, judge: Judge, submission: Any, seed: int, options: Any) -> None:
        self.judge, self.submission, self.seed, self.options = judge, submission, seed, options
        self.found: dict[Path, Any] = {}

    def of(self, level: int) -> Any:
        file = config_file(level, self.options.config)
        if file not in self.found:
            self.found[file] = self._find(file)
        return self.found[file]

    def _find(self, file: Path) -> Any:
        from assignment.ddpm.config import load_config
        from grader.finished import Finished

        settings = load_config(file, self.options.set)
        kind = "solution" if self.options.trusted else "student"
        weights = self.options.weights or Path(settings.output_dir) / f"{file.stem}-{kind}" / "weights.safetensors"
        return Finished(
            self.submission, self.judge.pace(settings, self.submission.device),
            settings, config=file, weights=weights, seed=self.seed,
        )  # fmt: skip


@pytest.fixture(scope="session")
def trainings(judge: Judge, submission: Any, seed: int, request: pytest.FixtureRequest) -> Trainings:
    return Trainings(judge, submission, seed, request.config.option)


@pytest.fixture
def aloud(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager]:
    """Within `with aloud():` progress is shown, on lines of its own: pytest would keep it to itself."""

    @contextmanager
    def shown() -> Iterator[None]:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            print(file=sys.stderr)
            yield

    return shown


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Path:
    """Where pictures go."""
    return request.config.option.figures


@pytest.fixture
def measured() -> dict[str, Any]:
    """What a test measured; goes into results.json."""
    return {}
