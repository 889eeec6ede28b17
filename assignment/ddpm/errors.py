"""Errors that a person at the keyboard can fix, and how a command ends: with one line, not with a traceback."""

import argparse
import difflib
import errno
import io
import os
import re
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
        near = self._nearest(message)
        raise UserError(f"{message}; did you mean {near}?" if near else message)

    def _nearest(self, message: str) -> str:
        """To a mistyped choice or option of argparse's message; empty if nothing is near."""
        if choice := re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", message):
            wrong, known = [choice[1]], re.findall(r"[^\s',]+", choice[2])
        else:
            wrong = [word.partition("=")[0] for word in message.split() if word.startswith("--")]
            known = [name for action in self._actions for name in action.option_strings]
            wrong = [] if "unrecognized arguments" not in message else wrong
        near = [found for word in wrong[:1] for found in difflib.get_close_matches(word, known, n=1)]
        return near[0] if near else ""


OUT_OF = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EPIPE)


def _in_words(error: OSError) -> str:
    """Which file, and what is wrong with it; without the number, which only programs read."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{error.filename}: there is a file where a folder is needed; expected another path"
    says = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        says += "; make some room, and repeat the command"
    return f"{error.filename}: {says}" if error.filename and not error.filename2 else says


def run_command(
    command: Callable[[], int | None], *, interrupted: str = "", exhausted: type[CommandError] = RunError
) -> int:
    """Run a command to its end: the outermost try/except of every command in this project.

    Args:
        command: does the work; returns its exit code, or None for 0
        interrupted: what Ctrl-C leaves behind, and how to resume
        exhausted: the error that it is if the machine has no more disk, memory or files
    Returns:
        the exit code: the command's own, that of its CommandError or of `exhausted`, 2 for a file that cannot be read
        or written, or 130 after Ctrl-C
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows ASCII only
    try:
        return command() or 0
    except (CommandError, OSError) as error:  # and nothing else: unforeseen errors keep their traceback
        if isinstance(error, CommandError):
            known = error
        else:
            known = exhausted(_in_words(error)) if error.errno in OUT_OF else UserError(_in_words(error))
        if isinstance(error, BrokenPipeError):  # as in `… | head`: Python's own farewell would fail, too
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        for line in str(known).splitlines():
            print(f"{known.opening}: {line}", file=sys.stderr)
        return known.exit_code
    except KeyboardInterrupt:
        # on a line of its own, after the terminal's ^C
        print(f"\ninterrupted; {interrupted}" if interrupted else "\ninterrupted", file=sys.stderr)
        return 130  # 128 + SIGINT, as shells count
