"""The grader as a pytest suite; `python -m grader` runs the same one.

A test is one claim: its docstring is the sentence that a student reads, `@check(id)` names it, and its points are in
configs/grading.yaml.
"""

import pytest

from grader.check_ids import id_of, needs_training
from grader.suite.judge import Judge

FIXTURES = ("fixtures", "fixtures_network", "fixtures_sampler", "fixtures_trained")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"  # the table has a line for each, and the first failure in full
    config.option.reportchars = "N"
    if not config.option.collectonly and not config.option.help:
        config.pluginmanager.register(Judge(config), "judge")  # first: starts a process that imports torch while we do
        for name in FIXTURES:
            config.pluginmanager.import_plugin(f"grader.suite.{name}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make checks selectable: -m by level and `trained`, -k by the parts of the id."""
    if wanted := config.option.check:
        items[:] = [item for item in items if id_of(item) in wanted]
    for item in items:
        check_id = id_of(item)
        level, *names = check_id.split(".")
        item.add_marker(level)
        if needs_training(check_id):
            item.add_marker("trained")
        item.extra_keyword_matches.update(names)
