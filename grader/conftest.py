"""The grader as a pytest suite; `python -m grader` runs the same one.

A test is one claim: its docstring is the sentence that a student reads, `@check(id)` names it, and its points are in
configs/grading.yaml.
"""

import pytest

from grader.suite.choice import choose, mark, refuse_an_empty_choice
from grader.suite.judge import Judge
from grader.suite.live import Live

FIXTURES = (
    "fixtures", "fixtures_network", "fixtures_sampler", "fixtures_ddim", "fixtures_labels", "fixtures_guidance",
    "fixtures_trained",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if option.tbstyle == "auto":
        option.tbstyle = "no"  # the table has a row for each, and the first failure in full
    option.reportchars = "N"
    if not option.collectonly and not option.help:
        judge = Judge(config)  # first: starts a process that imports torch while we do
        config.pluginmanager.register(judge, "judge")
        config.pluginmanager.register(Live(config, judge), "live")
        if option.usepdb:
            from grader.suite import debugger  # imports torch: only after the judge has started its process

            debugger.set_up(config, judge)
        for name in FIXTURES:
            config.pluginmanager.import_plugin(f"grader.suite.{name}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):  # type: ignore[no-untyped-def]
    """Make checks selectable: by --check, by -m level and `trained`, and by -k."""
    found = list(items)
    choose(config, items)
    mark(items)
    yield
    refuse_an_empty_choice(config, found, items)
