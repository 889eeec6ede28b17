"""Checks that say nothing new, as they wait for another or fail with the message of one before: told in one line."""

from grader.reports.wording import one_line, word
from grader.results import WAITS

NAMED = 3  # checks that the one line still names


class Repeats:
    """Of the checks of a level, asked for in their order."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}  # message → the name of the check that has said it

    def of(self, name: str, verdict: str, message: str) -> str:
        """What there is to say of a check whose reason another one has told; empty for any other."""
        if verdict == "passed":
            return ""
        message = one_line(message)
        before = self.said.get(message, "")
        if message.startswith(WAITS):
            what, _, why = message.removeprefix(WAITS).partition(": ")
            cause = self.said.get(why) or (what if before or what in self.said.values() else "")
            again = f"{WAITS}{cause}" if cause else ""
        else:
            # also one that another says of its own, such as at which size it met the same exception
            before = before or next((its for said, its in self.said.items() if message.endswith(f": {said}")), "")
            again = f"{word(verdict)}, as {before}" if before else ""
        self.said.setdefault(message, name)
        return again


def folded(says: str, names: list[str]) -> str:
    """One line for several: 27 more wait for contract.builds"""
    several = f"wait for {says.removeprefix(WAITS)}" if says.startswith(WAITS) else says
    named = f": {', '.join(names)}" if len(names) <= NAMED else ""
    return f"{len(names)} more {several}{named}"
