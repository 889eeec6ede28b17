"""Values that YAML 1.1 reads otherwise than people mean them: 010 as 8, 1:30 as 90, no as false, 007 as 7."""

import re
from typing import Any

import yaml

MISREAD = re.compile(r"[-+]?(0[\d_]+|\d[\d_]*(:\d+)+(\.\d*)?)")  # octal numbers and those to the base of 60


def as_written(text: str) -> Any:
    """YAML with every scalar as the text that it is."""
    return yaml.load(text, yaml.BaseLoader)


def misread(written: Any) -> str:
    """The first value that YAML would take for another number than it says; empty if there is none."""
    if isinstance(written, dict):
        written = list(written.values())
    if isinstance(written, list):
        return next(filter(None, map(misread, written)), "")
    return written if isinstance(written, str) and MISREAD.fullmatch(written) else ""


def unquoted(text: str) -> str:
    """A text as it is typed, without the quotes that may stand around it."""
    return as_written(text) if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
