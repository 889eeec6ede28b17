"""What a student is told about a mistake that many make: the check that bears its name gives the right hint."""

import pytest

from grader.check_ids import needs_training
from grader.grade import grade
from grader.results import Check
from grader.suite.verdict import error_hint
from tests.conftest import ROOT
from tests.proof.bank import BANK, read

# submission of the bank → a part of the hint of the check that catches it
HINTS = {
    "samplers/branches_on_t": "(t > 0).view(-1, 1, 1, 1) * noise",
    "samplers/t_as_one_number": "t is no single number",
    "samplers/coefficients_without_axes": "diffusion.extract(values, t, x_t.shape) gives (B, 1, 1, 1)",
    "samplers/no_noise_at_1": "Write t > 0 where you have t > 1.",
    "samplers/cosine_schedule": "on a cosine schedule",
    "samplers/betas_written_out": "on fixed betas from 1e-4 to 0.02",
    "samplers/betas_of_another_project": "the same on every schedule",
    "samplers/alpha_bar_prev_repeats_the_first": "alpha_bar_prev at t = 0 is 1",
    "samplers/alpha_bar_prev_rolled": "alpha_bar_prev at t = 0 is 1",
    "samplers/noise_in_the_last_step": "multiply the noise by (t > 0)",
    "samplers/ddim_with_clipped_x0": "the deterministic step of DDIM",
    "samplers/bytes": "leave out * 255",
    "samplers/p_sample_returns_pair": "p_sample returns x_{t-1} and nothing else",
    "samplers/unit_range": "Images live in [−1, 1] here, not in [0, 1]",
    "samplers/loop_has_its_own_formula": "with no formula of its own",
    "samplers/noise_by_the_first_t": "speak for the whole batch",
    "networks/instance_norm_removes_t": "A norm right after it takes it out again",
    "networks/groupnorm_per_channel_removes_t": "A norm right after it takes it out again",
    "networks/embedding_never_added": "computed and then never added",
    "networks/attention_over_batch": "an attention between images instead of pixels",
    "networks/attention_between_images": "an attention between images instead of pixels",
}


def judged(name: str, folder, *checks: str) -> dict[str, Check]:
    """What the checks say, by the last parts of their names, about a submission of the bank."""
    entry = read(BANK / "wrong" / f"{name}.py")
    asked = [entry.caught_by, *(f".{check}" for check in checks)]
    found = grade(
        entry.lay_out(folder / "handed in"), levels=[entry.level], config=ROOT / "configs" / "digits.yaml", quiet=True,
        only=lambda check: any(part in check for part in asked) and not needs_training(check),
    )  # fmt: skip
    return {check.id.rpartition(".")[2]: check for check in found.checks} | {
        "caught by": next(check for check in found.checks if check.id == entry.caught_by)
    }


@pytest.mark.parametrize(("name", "hint"), HINTS.items(), ids=HINTS)
def test_the_hint_is_for_the_mistake_that_was_made(name, hint, tmp_path):
    check = judged(name, tmp_path)["caught by"]
    assert check.verdict in ("failed", "error") and hint in check.hint, check


@pytest.mark.parametrize(
    ("name", "check", "waits_for"),
    [
        ("samplers/t_divided_by_T", "every_step_once", "trace.timesteps"),
        ("samplers/t_as_plain_number", "every_step_once", "trace.timesteps"),
        ("samplers/t_divided_by_T", "end_to_end", "trace.timesteps"),
        ("samplers/clamps_every_step", "fresh_noise", "step.mean"),
        ("samplers/clamps_every_step", "variance", "step.mean"),
        ("samplers/clamps_every_step", "gaussian", "step.mean"),
        ("samplers/one_noise_for_the_batch", "mean", "step.fresh_noise"),
        ("samplers/one_number_per_image", "variance", "step.fresh_noise"),
        ("networks/attention_over_batch", "uses_every_t", "batch.samples_independent"),
    ],
)
def test_a_check_waits_for_the_one_that_names_the_fault(name, check, waits_for, tmp_path):
    found = judged(name, tmp_path, check)
    assert found[check].verdict == "not_judged" and found[check].message.startswith(f"waits for {waits_for}")
    assert found["caught by"].verdict == "failed"


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
