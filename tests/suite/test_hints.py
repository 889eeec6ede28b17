"""What a student is told about a mistake that many make."""

from grader.suite.error_hints import error_hint
from tests.proof.bank import entries


def test_what_the_bank_says_of_hints_is_not_forgotten():
    """`make prove` looks at each."""
    found = entries()
    assert sum(bool(entry.hint) for entry in found) >= 21 and sum(len(entry.waits) for entry in found) >= 9


def test_a_samplers_errors_get_a_samplers_hints():
    sizes = RuntimeError("The size of tensor a (2) must match the size of tensor b (8) at non-singleton dimension 3")
    assert "diffusion.extract" in error_hint(sizes, 4) and "U-Net" in error_hint(sizes, 1)
    for message in (
        "Boolean value of Tensor with more than one value is ambiguous",
        "a Tensor with 2 elements cannot be converted to Scalar",
        "only integer tensors of a single element can be converted to an index",
        "full(): argument 'fill_value' (position 2) must be Number, not Tensor",
        "tensors used as indices must be long, int, byte or bool tensors",
        "index 1000 is out of bounds for dimension 0 with size 1000",
        "'GaussianDiffusion' object has no attribute 'alpha_bars'",
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
    ):
        hint = error_hint(RuntimeError(message), 4)
        assert "U-Net" not in hint and "forward" not in hint and "--pdb" not in hint
