"""The ids of all checks, and what the levels' test files share."""

import difflib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from assignment.ddpm.errors import UserError
from grader import ROOT

LEVEL_CONFIGS = {
    1: "fashion_mnist", 2: "fashion_mnist", 3: "cifar10", 4: "fashion_mnist", 5: "fashion_mnist",
    6: "digits_conditional",
}  # fmt: skip
TRAINED = (1, 2, 3, 6)  # levels that judge trained weights; level 5 only shows something of level 1's
OPTIONAL = (5, 6)  # those that are graded only where they give points, are asked for, or have been begun
CONDITIONAL = (6,)  # those whose networks get labels: a configuration is replaced by the one beside it that has some

check = pytest.mark.check  # @check("level1.timestep.uses_every_t"): the id of the claim that a test judges


def id_of(test: pytest.Item) -> str:
    """The id of the claim that a test judges."""
    marker = test.get_closest_marker("check")
    assert marker is not None, f"{test.nodeid} has no @check(id)"
    return marker.args[0]


def files_of(level: int) -> list[Path]:
    """The files with a level's claims: the rubric's, then the course's own."""
    here = Path(__file__).parent
    return [here / f"test_level{level}.py", *sorted((here / "extra").glob(f"test_level{level}_*.py"))]


@cache
def check_ids() -> tuple[str, ...]:
    """Of all levels, in file order. Raises UserError for a course's own claim with the id of another level."""
    found: list[str] = []
    for level in LEVEL_CONFIGS:
        for file in files_of(level):
            ids = re.findall(r'^@check\("(.+?)"\)', file.read_text(), re.MULTILINE)
            if wrong := [i for i in ids if not re.fullmatch(rf"level{level}(\.\w+)+", i) or i in found]:
                raise UserError(f"{file}: {wrong[0]}: expected an id of its own, beginning with level{level}.")
            found += ids
    return tuple(found)


def name_of(check_id: str) -> str:
    """level1.timestep.uses_every_t → timestep.uses_every_t, as reports print it"""
    return check_id.partition(".")[2]


def ids_of(named: str, levels: Sequence[int] = ()) -> list[str]:
    """The checks that are meant by an id, or by an id without its level, as reports print it.

    A name that several levels have is of these levels, if they have it, and else of no optional one.
    Raises UserError, with the nearest, where there is none.
    """
    found = [check_id for check_id in check_ids() if named in (check_id, name_of(check_id))]
    usual = levels or [level for level in LEVEL_CONFIGS if level not in OPTIONAL]
    if found:
        return [check_id for check_id in found if check_id.startswith(tuple(f"level{n}." for n in usual))] or found
    raise UserError(f"there is no check {named}; did you mean {nearest(named)}?")


def nearest(named: str) -> str:
    """The id or part of an id that is most like what was typed."""
    return nearest_of(named, check_ids(), 0.0)[0]


def nearest_of(named: str, ids: Sequence[str], cutoff: float) -> list[str]:
    """The same among some of them; empty where nothing is as similar as `cutoff`, difflib's ratio."""
    names = [name_of(check_id) for check_id in ids]
    known = [*names, *dict.fromkeys(part for name in names for part in name.split(".")), *ids]
    return difflib.get_close_matches(named, known, n=1, cutoff=cutoff)


def needs_training(check_id: str) -> bool:
    """Whether a claim is about trained weights."""
    return check_id.split(".")[1] in ("trained", "samples", "loss")


def config_file(level: int, given: Path | None) -> Path:
    """The configuration that a level is graded on: the one given, or the level's own.

    Of one with labels, `X_conditional.yaml` in place of a given `X.yaml`, if it lies beside it.
    """
    if given is None:
        return ROOT / "configs" / f"{LEVEL_CONFIGS[level]}.yaml"
    with_labels = given.with_name(f"{given.stem}_conditional.yaml")
    return with_labels if level in CONDITIONAL and with_labels.is_file() else given


@cache
def looks_at_training(level: int) -> bool:
    """Whether some check of a level looks at trained weights, be it for information only."""
    return any(needs_training(check_id) for check_id in check_ids() if check_id.startswith(f"level{level}."))
