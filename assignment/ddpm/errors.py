"""Errors that a person at the keyboard can fix, and how a command ends: with one line, not with a traceback."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn


class CommandError(Exception):
    """Ends a command with a line on standard error and an exit code."""

    exit_code = 1  # shells and CI read 0 as success and anything else as failure
    opening = "error"  # of the line


class UserError(CommandError):
    """One clear line: what was wrong, where, and the nearest right value."""

    exit_code = 2  # the call, or a file it names, is wrong


class RunError(UserError):
    """The call was right, but the run cannot continue: out of memory, a non-finite loss, a stub not yet written."""

    exit_code = 1


class Parser(argparse.ArgumentParser):
    """Raises UserError instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        # what is printed, and how a command exits, is decided in one place: run_command
        raise UserError(message)


def run_command(command: Callable[[], int | None], *, interrupted: str = "") -> int:
    """Run a command to its end: the outermost try/except of every command in this project.

    Args:
        command: does the work; returns its exit code, or None for 0
        interrupted: what Ctrl-C leaves behind, and how to resume
    Returns:
        the exit code: the command's own, that of its CommandError, 2 for a file that cannot be read or written, or 130
        after Ctrl-C
    """
    try:
        return command() or 0
    except (CommandError, OSError) as error:  # and nothing else: unforeseen errors keep their traceback
        known = error if isinstance(error, CommandError) else UserError(str(error))
        for line in str(known).splitlines():
            print(f"{known.opening}: {line}", file=sys.stderr)
        return known.exit_code
    except KeyboardInterrupt:
        # on a line of its own, after the terminal's ^C
        print(f"\ninterrupted; {interrupted}" if interrupted else "\ninterrupted", file=sys.stderr)
        return 130  # 128 + SIGINT, as shells count
