"""What takes minutes is left to verbs of its own, which set EVERY=1; CI calls them all."""

import os

import pytest

EVERYTHING = os.environ.get("EVERY") == "1"


def left_to(verb: str) -> pytest.MarkDecorator:
    """Skips a test in `make test`."""
    return pytest.mark.skipif(not EVERYTHING, reason=f"takes minutes: `make {verb}`")
