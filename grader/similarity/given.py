"""What every student has: whatever is in it says nothing of who copied from whom."""

from pathlib import Path

from grader import ROOT
from grader.submission.given_code import GIVEN
from grader.submission.sources import FILES, is_starter


def starters(root: Path = ROOT) -> dict[str, bytes]:
    """File → the starter, unless this checkout has somebody's solution in its place."""
    files = {name: root / "assignment" / name for name in FILES}
    sources = {name: file.read_bytes() for name, file in files.items() if file.is_file()}
    return {name: source for name, source in sources.items() if is_starter(source)}


def given(root: Path = ROOT) -> dict[str, list[bytes]]:
    """File → the starter, the given code, and the reference, as far as they are there."""
    everybodys = [file for name in GIVEN for file in sorted((root / name).rglob("*.py"))]
    found = {}
    for name in FILES:
        files = [*everybodys, root / "reference" / name]
        sources = [file.read_bytes() for file in files if file.is_file()]
        found[name] = sources + [source for file, source in starters(root).items() if file == name]
    return found
