"""What the levels' test files share."""

import pytest

check = pytest.mark.check  # @check("level1.timestep.uses_every_t"): the id of the claim that a test judges
