"""The ids of all checks, and what the levels' test files share."""

import re
from functools import cache
from pathlib import Path

import pytest

from grader import ROOT

LEVEL_CONFIGS = {1: "fashion_mnist", 2: "fashion_mnist", 3: "cifar10", 4: "fashion_mnist"}

check = pytest.mark.check  # @check("level1.timestep.uses_every_t"): the id of the claim that a test judges


def id_of(test: pytest.Item) -> str:
    """The id of the claim that a test judges."""
    marker = test.get_closest_marker("check")
    assert marker is not None, f"{test.nodeid} has no @check(id)"
    return marker.args[0]


@cache
def check_ids() -> tuple[str, ...]:
    """Of all levels, in file order."""
    files = sorted(Path(__file__).parent.glob("test_level*.py"))
    return tuple(i for file in files for i in re.findall(r'^@check\("(.+?)"\)', file.read_text(), re.MULTILINE))


def needs_training(check_id: str) -> bool:
    """Whether a claim is about trained weights."""
    return check_id.split(".")[1] in ("trained", "samples", "loss")


def config_file(level: int, given: Path | None) -> Path:
    """The configuration that a level is graded on: the one given, or the level's own."""
    return given or ROOT / "configs" / f"{LEVEL_CONFIGS[level]}.yaml"
