"""Grade one folder: run the tests in grader/test_level*.py on it, in this process, and return the results."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from grader import ROOT
from grader.check_ids import check_ids, files_of
from grader.errors import GraderFault
from grader.results import DID_NOT_RUN, Results, level_of
from grader.suite.judge import Judge


class _Keeper:
    """A pytest plugin that keeps the judge after pytest has dropped it."""

    def __init__(self) -> None:
        self.judge: Judge | None = None
        self.interrupted = False
        self.broken: list[str] = []  # files that can't be imported, and why

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)  # which pytest raises itself

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            said = report.longreprtext.strip().splitlines()
            self.broken.append(f"{report.nodeid}: {said[-1].removeprefix('E').strip() if said else 'it said nothing'}")

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.judge = config.pluginmanager.get_plugin("judge")


@contextmanager
def _nobody_elses_pytest() -> Iterator[None]:
    """Whatever a user has set up for their own tests (PYTEST_ADDOPTS, plugins) must not change a grade."""
    theirs = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ.update(theirs)


def grade(
    submission: Path, *, levels: Sequence[int], config: Path | None, overrides: Sequence[str] = (),
    seed: int | None = None, quiet: bool = False, only: Callable[[str], bool] | None = None,
    summary: bool = True, options: Sequence[str] = (), plugins: Sequence[object] = (),
) -> Results:  # fmt: skip
    """Judge `submission` on the given levels.

    Args:
        config: the configuration to grade on; None for each level's own
        only: which check ids to judge; None for all of the levels
        summary: whether to end with one; without it more follows
        options: further options of the suite, such as --sandbox
        plugins: further plugins of pytest, beside the grader's own
    Raises:
        CommandError: a setting can't be had on this machine, such as a device
        GraderFault: the grader itself failed, or a check did not run; nothing is said about the submission
        ValueError: there is no such check on these levels
        KeyboardInterrupt: after Ctrl-C, once the worker is gone
    """
    keeper = _Keeper()
    wanted = [check for check in check_ids() if level_of(check) in levels and (only is None or only(check))]
    if not wanted:
        raise ValueError("expected at least one check to judge")  # pytest, told of none, would judge them all
    files = [str(file) for level in levels for file in files_of(level)]
    arguments = [
        *files, f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", "-p", "no:cacheprovider",
        "--assert=plain", "-p", "pytest_timeout", *(f"--check={check}" for check in wanted if only),
        "--results=", f"--submission={submission}", *(f"--set={text}" for text in overrides), *options,
    ]  # fmt: skip
    if not summary:
        arguments.append("--rows-only")
    if config is not None:
        arguments.append(f"--config={config}")
    if seed is not None:
        arguments.append(f"--seed={seed}")
    unheard = io.StringIO()
    with _nobody_elses_pytest(), ExitStack() as stack:
        if quiet:
            stack.enter_context(redirect_stdout(unheard))
            stack.enter_context(redirect_stderr(unheard))
        try:
            code = pytest.main([*arguments, "--no-header", "-q"], plugins=[keeper, *plugins])
        except Exception as error:
            raise GraderFault(f"pytest failed: {type(error).__name__}: {error}") from error
    if keeper.interrupted:
        raise KeyboardInterrupt
    if keeper.broken:
        raise GraderFault("; ".join(keeper.broken))
    judge = keeper.judge
    if judge and judge.misuse:
        raise judge.misuse
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or judge is None or judge.faults:
        raise GraderFault("; ".join(judge.told_faults()) if judge and judge.faults else f"pytest ended with {code!r}")
    ran = [check.id for check in judge.results.checks if check.message != DID_NOT_RUN]
    if missing := [check for check in wanted if check not in ran]:
        raise GraderFault(f"{missing[0]} was not judged, nor were {len(missing) - 1} others: pytest left them out")
    return judge.results
