"""What several of these tests share."""

from types import SimpleNamespace

import pytest

from assignment.ddpm.data import load_images, load_test


@pytest.fixture(scope="module")
def digits() -> SimpleNamespace:
    """train, validation, test: uint8 (N, 1, 8, 8) each."""
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8))
    return SimpleNamespace(**vars(images), test=load_test("digits", "unused", shape=(1, 8, 8)))
