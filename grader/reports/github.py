"""A student's words where GitHub Actions reads them: no command, no markup, no mention."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from grader.reports.wording import one_line

SEPARATOR = "\N{WORD JOINER}"  # takes no room, and takes signs apart that would mean something side by side


def without_commands(text: str) -> str:
    """Text that may get into a log, where `::name::` begins a command in a line, and `##[name]` anywhere.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    return text.replace("::", f":{SEPARATOR}:").replace("##[", f"#{SEPARATOR}#[")


def entities(text: str) -> str:
    """Every ASCII sign but letters and digits as an HTML entity, in which neither Markdown nor a log finds anything."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda sign: f"&#{ord(sign[0])};", text)


def inline(text: str, longest: int = 1000) -> str:
    """Text for a line or a cell of Markdown. In what entities become, GitHub would still find @names and #numbers."""
    return entities(re.sub("[@#]", lambda sign: sign[0] + SEPARATOR, one_line(text, longest)))


@contextmanager
def commands_off() -> Iterator[None]:
    """Lines of the log are no commands meanwhile, as what a student's code prints may be shown."""
    end = secrets.token_hex(16)
    print(f"::stop-commands::{end}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{end}::", flush=True)
