"""What goes wrong in a training is reported in one line, and loses nothing that was good."""

import pytest
import torch
from safetensors import safe_open
from torch import nn

from assignment.ddpm.errors import RunError
from tests.support.networks import DiffusionModel
from tests.support.running import run


def test_nothing_to_sample_from(tmp_path):
    with pytest.raises(RunError, match="no trained weights to sample from"):
        run(tmp_path, "training.resume=true", "training.max_minutes=0")


class Diverges(DiffusionModel):
    """The loss becomes infinite in the middle of the second epoch."""

    steps = 0

    def forward(self, x, t):
        if self.training:
            type(self).steps += 1
        return super().forward(x, t) / (0 if self.training and self.steps >= 6 else 1)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_good_weights(tmp_path):
    with pytest.raises(
        RunError, match=r"training loss is (nan|inf).*kept in .*weights.safetensors; try a smaller"
    ) as stop:
        run(tmp_path, "training.checkpoint_minutes=0", network=Diverges)
    assert "\n" not in str(stop.value)
    state = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert state["step_count"] == 5 and all(v.isfinite().all() for v in state["model"].values())
    with safe_open(tmp_path / "run/weights.safetensors", framework="pt") as file:
        assert all(file.get_tensor(key).isfinite().all() for key in file.keys())  # noqa: SIM118  not a dict


class Hungry(DiffusionModel):
    def forward(self, x, t):
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return super().forward(x, t)


def test_out_of_memory_names_the_batch_size(tmp_path):
    with pytest.raises(RunError, match=r"out of memory with data.batch_size=64: try data.batch_size=32"):
        run(tmp_path, network=Hungry)


class WrongShape(DiffusionModel):
    def forward(self, x, t):
        return super().forward(x, t).flatten(1)


class NoLayers(DiffusionModel):
    def __init__(self, config):
        nn.Module.__init__(self)
        self.layers = [nn.Conv2d(1, 1, 1)]

    def forward(self, x, t):
        return self.layers[0](x)


@pytest.mark.parametrize(("network", "message"), [(WrongShape, "x's shape"), (NoLayers, "no trainable parameters")])
def test_a_network_that_breaks_its_contract_is_told_before_anything_is_written(network, message, tmp_path):
    with pytest.raises(RunError, match=message):
        run(tmp_path / "out", network=network)
    assert not (tmp_path / "out").exists()
