"""Tests that take minutes run with EVERY=1 only: in `make test-all`, as CI does; `make attacks` has EVERY=attack."""

import os

import pytest

EVERYTHING = os.environ.get("EVERY") in ("1", "attack")
EVERY_ATTACK = os.environ.get("EVERY") == "attack"


def left_to(verb: str) -> pytest.MarkDecorator:
    """Skips a test in `make test`, and in `make test-all` what is left to `make attacks`."""
    there = EVERY_ATTACK if verb == "attacks" else EVERYTHING
    return pytest.mark.skipif(not there, reason=f"takes minutes: `make {verb}`")
