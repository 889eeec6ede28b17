"""Which checks are judged: what was typed after --check and -k, and what was meant where nothing matches."""

import re
from collections.abc import Sequence

import pytest

from assignment.ddpm.errors import UserError
from grader.check_ids import OPTIONAL, id_of, ids_of, nearest, nearest_of, needs_training
from grader.grading_config import load_grading
from grader.results import level_of
from grader.submission.sources import begun_levels, read_sources

WORDS = ("and", "or", "not")  # of pytest's -k
SURE = 0.8  # difflib's ratio from which a name of the same level is meant rather than the same word on another


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what --check names, and no optional level that nobody wants. Raises UsageError for what is no check."""
    left_out = tuple(f"level{level}." for level in OPTIONAL if not _is_wanted(level, config))
    if dropped := [item for item in items if id_of(item).startswith(left_out)]:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)
    if named := config.option.check:
        levels = [level for level in OPTIONAL if f"level{level}" in config.option.markexpr]
        try:
            wanted = {check_id for name in named for check_id in ids_of(name, levels)}
        except UserError as error:
            raise pytest.UsageError(f"--check: {error}") from error
        items[:] = [item for item in items if id_of(item) in wanted]


def _is_wanted(level: int, config: pytest.Config) -> bool:
    """Whether an optional level is asked for by name, gives points, or has been begun."""
    words = [config.option.markexpr, config.option.keyword, *config.args, *config.option.check]
    if any(f"level{level}" in word for word in words) or level in load_grading().optional_levels:
        return True
    return level in begun_levels(read_sources(config.option.submission))


def mark(items: Sequence[pytest.Item]) -> None:
    """For -m: the level, and `trained`. For -k: the id, and what stands between its dots."""
    for item in items:
        check_id = id_of(item)
        level, *names = check_id.split(".")
        item.add_marker(level)
        if needs_training(check_id):
            item.add_marker("trained")
        item.extra_keyword_matches.update(names)
        item.extra_keyword_matches.add(check_id)


def refuse_an_empty_choice(config: pytest.Config, found: list[pytest.Item], left: list[pytest.Item]) -> None:
    """Raises UsageError, with what was likely meant, where -k, -m and --check leave nothing."""
    if left or not found:
        return
    option, ids = config.option, [id_of(item) for item in found]
    typed = [*option.check, *(w for w in re.findall(r"[\w.]+", option.keyword) if w not in WORDS)]
    levels = {int(level) for level in re.findall(r"\blevel(\d)\b", option.markexpr)}
    asked = " ".join([*option.check, option.keyword]).strip() or option.markexpr
    of = f" of level {' or '.join(map(str, sorted(levels)))}" if levels else ""
    says = f"there is no check{of} that matches {asked}"
    near = [part for word in typed[:1] for part in nearest_of(word, [i for i in ids if level_of(i) in levels], SURE)]
    elsewhere = sorted({level_of(check_id) for check_id in ids for word in typed if word in check_id})
    if near:
        says += f"; did you mean {near[0]}?"
    elif levels and elsewhere:
        level = next((level for level in elsewhere if level not in OPTIONAL), elsewhere[0])
        says += f", but one of level {level}: make test-level{level} K={typed[0]}"
    elif typed:
        says += f"; did you mean {nearest(typed[0])}?"
    raise pytest.UsageError(says)
