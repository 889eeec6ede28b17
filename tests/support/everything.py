"""How much is tested: what takes minutes is left to `make test-ci`, or to `make test-all` before a release.

`make test-ci` has EVERY=ci; `make test-all`, and `make attacks` with a part of the files, have EVERY=1.
"""

import os

import pytest

EVERYTHING = os.environ.get("EVERY") == "1"
IN_CI = EVERYTHING or os.environ.get("EVERY") == "ci"


def left_to(verb: str) -> pytest.MarkDecorator:
    """Skips a test in verbs that do less."""
    return pytest.mark.skipif(not (IN_CI if verb == "test-ci" else EVERYTHING), reason=f"takes minutes: `make {verb}`")
