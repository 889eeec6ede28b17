"""What several reports say in the same words: about one check, or about the first that failed."""

from collections.abc import Callable
from typing import Any

from grader.reports.terminal import WORDS, printable

LONGEST = 4000  # characters of what a student's code printed


def clean(text: str, longest: int = LONGEST) -> str:
    """A student's text: its start, without control characters and halves of characters."""
    more = f"\n… and {len(text) - longest:,} characters more" if len(text) > longest else ""
    return printable(text[:longest].replace("\r\n", "\n").replace("\r", "\n")) + more


def one_line(text: str, longest: int = LONGEST) -> str:
    return " ".join(clean(text, longest).split())


def verdict(check: dict[str, Any]) -> str:
    return WORDS.get(check["verdict"], check["verdict"])


def explanation(check: dict[str, Any], longest: int = LONGEST) -> str:
    """All about one check: claim, verdict, hint, the student's lines, and what was printed."""
    says = f"{verdict(check)}: {check['message']}" if check["message"] else verdict(check)
    parts = [clean(check["claim"], longest), clean(says, longest)]
    if check["hint"]:
        parts.append(f"hint: {clean(check['hint'], longest)}")
    if check["trace"]:
        parts.append(f"in your code:\n{clean(check['trace'], longest)}")
    if check["output"]:
        parts.append(f"printed:\n{clean(check['output'], longest)}")
    return "\n".join(parts)


def score_line(results: dict[str, Any]) -> str:
    return f"{results['score']:g} of {results['max_score']:g} points"


def first_to_look_at(results: dict[str, Any]) -> dict[str, Any] | None:
    """The first check that failed; else the first that was not judged."""
    lost = [check for check in results["checks"] if check["verdict"] != "passed"]
    return next((check for check in lost if check["verdict"] != "not_judged"), lost[0] if lost else None)


def within(size: int, write: Callable[[int], str]) -> str:
    """What `write` makes of the longest texts with which it has at most `size` bytes."""
    longest = LONGEST
    while len((written := write(longest)).encode("utf-8", "replace")) > size and longest:
        longest //= 2
    return written
