"""Texts that several reports share: about one check, or about the first that failed."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from grader.results import VERDICTS, final_points, to_look_at

MARKS = {"passed": "✓", "not_judged": "–"}
LEVELS = {1: "Network", 2: "Loss", 3: "Harder samples", 4: "Sampler", 5: "Few steps, optional", 6: "Guidance, optional"}
WORDS = {"out_of_memory": "out of memory", "not_judged": "not judged"}
JOINER = "\N{WORD JOINER}"  # invisible; breaks up what a runner would take for a command
MAX_OUTPUT = 4000  # characters of a student's output


def printable(text: str) -> str:
    """Text without control characters, which could overwrite the table, and without commands to a GitHub runner."""
    return disarmed("".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text))


def disarmed(text: str) -> str:
    """Text with what a GitHub runner would take for a command broken up: also where lines were broken anew."""
    return re.sub(r"^(\s*):(?=:)|##(?=\[)", rf"\g<0>{JOINER}", text, flags=re.MULTILINE)


def clean(text: str, longest: int = MAX_OUTPUT) -> str:
    """The start of a student's text, without control characters and lone surrogates."""
    more = f"\n… and {len(text) - longest:,} characters more" if len(text) > longest else ""
    return printable(text[:longest].replace("\r\n", "\n").replace("\r", "\n")) + more


def one_line(text: str, longest: int = MAX_OUTPUT) -> str:
    """A text without line breaks, which could forge a row of a table."""
    return " ".join(clean(text, longest).split())


def verdict(check: dict[str, Any]) -> str:
    return word(check["verdict"])


def word(verdict: str) -> str:
    """A verdict in words."""
    return WORDS.get(verdict, verdict)


def counts(verdicts: Iterable[str]) -> str:
    """How many checks have which verdict, in the same order everywhere: 21 passed · 2 failed · 1 error"""
    counted = Counter(verdicts)
    order = sorted(counted, key=lambda verdict: VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS))
    return " · ".join(f"{counted[v]} {_plural(word(v), counted[v])}" for v in order)


def _plural(name: str, count: int) -> str:
    return f"{name}s" if name in ("error", "timeout") and count > 1 else name


def title(level: int) -> str:
    """Level 1: Network"""
    return f"Level {level}: {LEVELS[level]}" if level in LEVELS else f"Level {level}"


def heading(level: int, environment: Mapping[str, Any], *more: str) -> str:
    """Level 1: Network · digits · model.py has changed since"""
    config, changed = (_of_level(environment.get(name), level) for name in ("configs", "changed"))
    parts = (title(level), config, *more, f"{changed} has changed since" if changed else "")
    return " · ".join(part for part in parts if part)


def _of_level(found: Any, level: int) -> str:
    """What an environment says of a level; empty where it says nothing, as in results of the first versions."""
    return one_line(str(found.get(str(level), ""))) if isinstance(found, dict) else ""


def partial(check: dict[str, Any]) -> str:
    """How much of the points a measured value earns, and what would earn more; empty where nothing would."""
    band = check.get("band")
    return clean(band["says"]) if band and check["points"] < check["max_points"] else ""


def own_value(check: dict[str, Any]) -> str:
    """What was measured beside its limit: `fid 3.42, at most 27.6`; empty where a check compares no numbers."""
    measured = check["measurements"]
    interval = measured.get("interval")
    if isinstance(interval, list) and len(interval) == 2 and all(map(_is_number, interval)):
        limit = measured.get("limit", 0.0)
        return f"{interval[0]:+.1%} to {interval[1]:+.1%} beside the reference's loss, has to stay below {limit:+.1%}"
    value, limit, margin = (measured.get(name, 0.0) for name in ("value", "limit", "margin"))
    if "value" not in measured or not all(map(_is_number, (value, limit, margin))):
        return ""
    names = [name for name, number in measured.items() if number == value and name not in ("value", "limit", "margin")]
    # it keeps its limit where the margin is not negative; values that have to be exact have none
    bound = "at least" if "margin" in measured and (value > limit) == (margin >= 0) and value != limit else "at most"
    return f"{names[0].replace('_', ' ') if names else 'measured'} {value:.3g}, {bound} {limit:.3g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def explanation(check: dict[str, Any], longest: int = MAX_OUTPUT) -> str:
    """Everything about one check: claim, verdict, hint, the student's lines, and the output."""
    says = f"{verdict(check)}: {check['message']}" if check["message"] else verdict(check)
    parts = [clean(check["claim"], longest), clean(says, longest)]
    if earns := partial(check):
        parts.append(earns)
    if check["hint"]:
        parts.append(f"hint: {clean(check['hint'], longest)}")
    if check["trace"]:
        parts.append(f"in your code:\n{clean(check['trace'], longest)}")
    if check["output"]:
        parts.append(f"printed:\n{clean(check['output'], longest)}")
    return "\n".join(parts)


def score_line(results: dict[str, Any]) -> str:
    """12.5 of 40 points; with 2 more by adjustment: 14.5"""
    says = f"{results['score']:g} of {results['max_score']:g} points"
    if not (made := results.get("adjustments", [])):
        return says
    more = sum(each["points"] for each in made)
    return f"{says}; with {abs(more):g} {'more' if more >= 0 else 'less'} by adjustment: {final_points(results):g}"


def adjustments(results: dict[str, Any]) -> list[str]:
    """A line for each: +2 points: handed in by mail"""
    return [f"{each['points']:+g} points: {one_line(each['reason'])}" for each in results.get("adjustments", [])]


def checks_to_look_at(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """See `grader.results.to_look_at`."""
    return [checks[i] for i in to_look_at([(c["id"], c["verdict"], c["message"]) for c in checks])]


def within(size: int, write: Callable[[int], str]) -> str:
    """The result of `write` with texts as long as possible within `size` bytes."""
    longest = MAX_OUTPUT
    while len((written := write(longest)).encode("utf-8", "replace")) > size and longest:
        longest //= 2
    return written


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
