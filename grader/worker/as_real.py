"""Parameters as the real numbers that they are made of: spectral layers have complex ones."""

from torch import Tensor, view_as_real


def as_real(tensor: Tensor) -> Tensor:
    """Complex (…) as real (…, 2), in the same memory; a real one as it is."""
    return view_as_real(tensor) if tensor.is_complex() else tensor
