"""Errors that a person at the keyboard can mend. main.py prints them as one line, without a traceback."""

import argparse


class UserError(Exception):
    """One clear line: what was wrong, where, and the nearest right value."""

    exit_code = 2  # the call, or a file it names, is wrong


class RunError(UserError):
    """The call was right, but the run cannot go on: out of memory, a non-finite loss, a stub not yet written."""

    exit_code = 1


class Parser(argparse.ArgumentParser):
    """Raises UserError where argparse would print its usage and exit."""

    def error(self, message: str) -> None:
        raise UserError(message)
