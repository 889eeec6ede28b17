"""What the levels' test files share."""

import pytest

check = pytest.mark.check  # @check("level1.timestep.uses_every_t"): the id of the claim that a test judges


def needs_training(check_id: str) -> bool:
    """Whether a claim is about trained weights."""
    return check_id.split(".")[1] in ("trained", "samples", "loss")
