"""Lines for the person at the terminal, as wide as it is; in a file they stay whole."""

import shutil
import textwrap


def say(text: str) -> None:
    """Print a paragraph; the lines after its first are indented by two more than that."""
    columns = shutil.get_terminal_size((0, 0)).columns  # COLUMNS, else the terminal's; 0 where there is none
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    print(
        textwrap.fill(
            text, max(columns, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
        ) if columns else text
    )  # fmt: skip
