"""Which checks are judged: what was typed after --check and -k, and what was meant where nothing matches."""

import re
from collections.abc import Sequence

import pytest

from assignment.ddpm.errors import UserError
from grader.check_ids import OPTIONAL, id_of, ids_of, nearest, needs_training
from grader.grading_config import load_grading
from grader.results import level_of
from grader.submission.sources import has_begun_optional, read_sources

WORDS = ("and", "or", "not")  # of pytest's -k


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
    return has_begun_optional(read_sources(config.option.submission))


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
    option = config.option
    typed = [*option.check, *(w for w in re.findall(r"[\w.]+", option.keyword) if w not in WORDS)]
    asked = [f"--check {name}" for name in option.check]
    asked += [f"{flag} '{text}'" for flag, text in (("-k", option.keyword), ("-m", option.markexpr)) if text]
    elsewhere = sorted({level_of(id_of(item)) for item in found for word in typed if word in id_of(item)})
    if elsewhere and option.markexpr:
        levels = " and ".join(f"level {level} (make test-level{level})" for level in elsewhere)
        raise pytest.UsageError(f"{' '.join(asked)}: no check is left, as {' and '.join(typed)} is of {levels}")
    near = f"; did you mean {nearest(typed[0])}?" if typed else ""
    raise pytest.UsageError(f"{' '.join(asked)}: there is no such check{near}")
