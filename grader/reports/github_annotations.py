"""Annotations for GitHub Actions, printed by a step: the score, and the failed checks at the lines where they failed.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; a step shows up to ten of each kind.
"""

import re
from collections.abc import Callable
from typing import Any

from grader.reports.wording import clean, partial, score_line

SHOWN = 10
MAX_MESSAGE = 1000  # characters of a message
IN_MESSAGES, IN_PROPERTIES = "%\r\n", "%\r\n:,"


def render(results: dict[str, Any], path_of: Callable[[str], str] = str) -> str:
    """`path_of` says where a file is in the student's repository: model.py → assignment/model.py; by default on top."""
    failed = [check for check in results["checks"] if check["verdict"] not in ("passed", "not_judged")]
    missing = [check for check in results["checks"] if check["verdict"] == "not_judged"]
    partly = [check for check in results["checks"] if check["verdict"] == "passed" and partial(check)]
    says = f"{score_line(results)}; {len(failed)} checks failed, {len(missing)} were not judged"
    commands = [_command("notice", says, title="Score")]
    commands += [_of_check("error", check, path_of) for check in failed[:SHOWN]]
    commands += [_of_check("notice", check, path_of) for check in [*partly, *missing][: SHOWN - 1]]
    return "\n".join(commands) + "\n"


def _of_check(kind: str, check: dict[str, Any], path_of: Callable[[str], str]) -> str:
    place = re.fullmatch(r"([\w./-]+):([0-9]+)", check["location"])
    where = {"file": path_of(place[1]), "line": place[2]} if place else {}
    texts = [check["claim"], check["message"], partial(check), check["hint"]]
    says = "\n".join(clean(text, MAX_MESSAGE) for text in texts if text)
    return _command(kind, says, **where, title=check["id"])


def _command(kind: str, message: str, **properties: str) -> str:
    listed = ",".join(f"{key}={_encoded(value, IN_PROPERTIES)}" for key, value in properties.items())
    return f"::{kind} {listed}::{_encoded(message, IN_MESSAGES)}"


def _encoded(text: str, signs: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in signs else c for c in text)
