"""What every student has: whatever is in it says nothing of who copied from whom."""

from pathlib import Path

from grader import ROOT
from grader.submission.given_code import GIVEN
from grader.submission.sources import FILES, STUB


def given(root: Path = ROOT) -> dict[str, list[bytes]]:
    """File → the starter, the given code, and the reference, as far as they are there."""
    everybodys = [file for name in GIVEN for file in sorted((root / name).rglob("*.py"))]
    found = {}
    for name in FILES:
        files = [*everybodys, root / "reference" / name]
        sources = [file.read_bytes() for file in files if file.is_file()]
        starter = root / "assignment" / name
        if starter.is_file() and (source := starter.read_bytes()).count(STUB) == 2:  # not somebody's solution
            sources.append(source)
        found[name] = sources
    return found
