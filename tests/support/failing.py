"""For the judge's pure functions: answers that they take, and what they say of those that they don't."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch

from grader.checks.finding import CheckFailed

Y = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))  # answers to six images


def failed(says: str) -> AbstractContextManager[object]:
    return pytest.raises(CheckFailed, match=says)


def hint(call: Callable[[], object]) -> str:
    """Of the failure that the call ends with."""
    with pytest.raises(CheckFailed) as caught:
        call()
    return caught.value.hint
