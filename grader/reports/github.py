"""A student's text for GitHub Actions: no commands, no markup, no mentions."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from grader.reports.wording import one_line

SEPARATOR = "\N{WORD JOINER}"  # invisible; separates characters that would mean something together


def without_commands(text: str) -> str:
    """Text that is safe in a log, where `::name::` begins a command at the start of a line, and `##[name]` anywhere.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    return text.replace("::", f":{SEPARATOR}:").replace("##[", f"#{SEPARATOR}#[")


def entities(text: str) -> str:
    """Every ASCII character except letters and digits as an HTML entity, inert in Markdown and in a log."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda sign: f"&#{ord(sign[0])};", text)


def inline(text: str, longest: int = 1000) -> str:
    """Text for a line or a cell of Markdown. GitHub would find @names and #numbers even in decoded entities."""
    return entities(re.sub("[@#]", lambda sign: sign[0] + SEPARATOR, one_line(text, longest)))


@contextmanager
def commands_off() -> Iterator[None]:
    """Within the block, lines of the log are not commands, as the output of a student's code may be shown."""
    end = secrets.token_hex(16)
    print(f"::stop-commands::{end}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{end}::", flush=True)
