"""A plugin of pytest: after every check it tells the results so far, a line of JSON each."""

import json
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

channel: TextIO = sys.stdout  # grader.platforms.inside sets another


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    done = yield
    results = item.config.pluginmanager.get_plugin("judge").results
    print(json.dumps(results.to_json()), file=channel, flush=True)
    return done
