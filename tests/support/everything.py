"""Tests that take minutes run with EVERY=1 only: in `make test-all`, as CI does, and in narrower verbs."""

import os

import pytest

EVERYTHING = os.environ.get("EVERY") == "1"


def left_to(verb: str) -> pytest.MarkDecorator:
    """Skips a test in `make test`."""
    return pytest.mark.skipif(not EVERYTHING, reason=f"takes minutes: `make {verb}`")
