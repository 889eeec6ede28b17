"""`auto` measures: it chooses the fastest setting with the same answer, and leaves the network unchanged."""

import time

import pytest
import torch
from torch import nn

from assignment.ddpm import autotune
from assignment.ddpm.autotune import tune
from assignment.ddpm.config import RuntimeConfig, load_config
from assignment.ddpm.device import Choice
from assignment.ddpm.runner import PLAIN, Runner, Setting
from tests.support.networks import DiffusionModel, Dropout

CPU = torch.device("cpu")
SHAPE = (8, 1, 8, 8)
CONFIG = load_config("configs/digits.yaml").model


@pytest.fixture(autouse=True)
def measured_anew(monkeypatch, tmp_path):
    """Everything is worth measuring, the machine has bfloat16, and the cache is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(autotune, "SHORT", 0.0)
    monkeypatch.setattr(autotune, "half_precision", lambda device: Choice(torch.bfloat16, "in this test"))
    monkeypatch.setattr(autotune, "machine_is_busy", lambda: False)


def tuned(model, about=None, **runtime):
    return tune(model, RuntimeConfig(**{"threads": 1, **runtime}), SHAPE, CPU, steps=10**6, about=about)


class Slow(DiffusionModel):
    """Takes 50 ms longer if `slow_if` says so."""

    def slow_if(self, x):
        return False

    def forward(self, x, t):
        h = self.first(x)
        if self.slow_if(h):
            time.sleep(0.05)
        return self.last(self.body(h + self.time(t)[:, :, None, None]))


class SlowInFloat32(Slow):
    def slow_if(self, x):
        return x.dtype == torch.float32


class SlowInBfloat16(Slow):
    def slow_if(self, x):
        return x.dtype == torch.bfloat16


class SlowUnlessChannelsLast(Slow):
    def slow_if(self, x):
        return not x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("network", "fixed", "expected"),
    [
        (SlowInFloat32, {"channels_last": False}, Setting(torch.bfloat16, threads=1)),
        (SlowInBfloat16, {"channels_last": False}, Setting(threads=1)),
        (SlowUnlessChannelsLast, {"precision": "float32"}, Setting(channels_last=True, threads=1)),
    ],
)
def test_the_faster_setting_is_taken_and_says_how_much_faster(network, fixed, expected):
    torch.manual_seed(0)
    found = tuned(network(CONFIG), **fixed)
    assert found.setting == expected and found.measured
    assert "× the plain way, measured on " in found.reason or found.setting == Setting(threads=1)


class SlowWithoutGradients(Slow):
    """Fast in bfloat16, but only in training."""

    def slow_if(self, x):
        return x.dtype == (torch.float32 if torch.is_grad_enabled() else torch.bfloat16)


def test_samples_are_drawn_in_what_is_fastest_without_gradients():
    torch.manual_seed(0)
    found = tuned(SlowWithoutGradients(CONFIG), channels_last=False)
    assert (found.setting, found.sampling) == (Setting(torch.bfloat16, threads=1), Setting(threads=1))
    model = SlowWithoutGradients(CONFIG)
    runner = Runner(model, found.setting, found.sampling)
    assert runner.for_sampling().setting == found.sampling and runner.for_sampling().model is model
    assert runner.uncompiled().for_sampling().setting == found.sampling


def test_a_network_in_training_keeps_its_memory_layout_while_samples_are_drawn():
    model = DiffusionModel(CONFIG)
    runner = Runner(model, Setting(channels_last=True), Setting())
    drawing = runner.for_sampling()
    assert model.first.weight.is_contiguous(memory_format=torch.channels_last)
    x, t = torch.randn(SHAPE), torch.zeros(8, dtype=torch.long)
    assert torch.allclose(drawing(x, t), runner(x, t), atol=1e-5)


class Wrong(SlowInFloat32):
    """Fast but wrong in bfloat16."""

    def forward(self, x, t):
        y = super().forward(x, t)
        return y if y.dtype == torch.float32 else 1.5 * y


def test_a_setting_with_another_answer_is_left_out():
    torch.manual_seed(0)
    found = tuned(Wrong(CONFIG), channels_last=False)
    assert found.setting.precision == torch.float32
    assert "left out, as its answer differs by" in found.measured["bfloat16, 1 thread"]


class UsesView(SlowUnlessChannelsLast):
    """Works in the usual memory layout; fails in channels-last, where the pixels of a channel are not adjacent."""

    def forward(self, x, t):
        y = super().forward(x, t)
        return y + self.first(x).view(len(x), -1).mean()


def test_a_setting_that_a_network_does_not_run_in_is_left_out():
    found = tuned(UsesView(CONFIG), precision="float32")
    assert not found.setting.channels_last
    (says,) = [says for setting, says in found.measured.items() if "channels last" in setting]
    assert says.startswith("does not run: ") and "view" in says


class Attends(DiffusionModel):
    def forward(self, x, t):
        h = (self.first(x) + self.time(t)[:, :, None, None]).flatten(2).transpose(1, 2)
        h = nn.functional.scaled_dot_product_attention(h, h, h).transpose(1, 2).view(len(x), -1, 8, 8)
        return self.last(self.body(h))


def test_the_kernel_of_attention_is_tried_only_where_there_is_attention():
    for network, tried in ((DiffusionModel, False), (Attends, True)):
        measured = tuned(network(CONFIG), precision="float32", channels_last=False).measured
        assert any("math attention" in setting for setting in measured) is tried


def test_the_network_is_left_as_it_was():
    torch.manual_seed(0)
    model = Dropout(CONFIG).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    threads = torch.get_num_threads()
    tuned(model, threads="auto")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.is_contiguous() for p in model.parameters()) and model.training
    assert torch.get_num_threads() == threads


def test_dropout_does_not_count_as_another_answer():
    torch.manual_seed(0)
    assert not any("differs" in says for says in tuned(Dropout(CONFIG)).measured.values())


def test_what_is_configured_is_not_measured():
    everything = {"precision": "bfloat16", "channels_last": True, "attention": "math", "compile": False}
    found = tuned(DiffusionModel(CONFIG), **everything)
    assert found.setting == Setting(torch.bfloat16, True, "math", False, 1) and found.reason == "as configured"


def test_a_short_run_is_not_measured_for(monkeypatch):
    monkeypatch.setattr(autotune, "SHORT", 60.0)
    found = tune(DiffusionModel(CONFIG), RuntimeConfig(threads=1), SHAPE, CPU, steps=10)
    assert found.setting == Setting(threads=1) and "too short" in found.reason


def test_what_was_measured_is_kept_for_the_network_and_the_machine(monkeypatch, tmp_path):
    first = tuned(SlowInFloat32(CONFIG), about="this network")
    monkeypatch.setattr(autotune.Race, "of", lambda *args: pytest.fail("measured again"))
    again = tuned(SlowInFloat32(CONFIG), about="this network")
    assert (again.setting, again.reason, again.measured) == (first.setting, first.reason, first.measured)
    with pytest.raises(pytest.fail.Exception):
        tuned(SlowInFloat32(CONFIG), about="another")
    (kept,) = tmp_path.rglob("speed-*.json")
    kept.write_text('{"setting": {"precision": "nonsense"}}')
    with pytest.raises(pytest.fail.Exception):
        tuned(SlowInFloat32(CONFIG), about="this network")


def test_an_error_of_the_network_itself_is_not_swallowed():
    class Broken(DiffusionModel):
        def forward(self, x, t):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        tuned(Broken(CONFIG))


@pytest.mark.parametrize("setting", [Setting(channels_last=True), Setting(torch.bfloat16), Setting(attention="math")])
def test_a_runner_answers_as_the_network_does(setting):
    torch.manual_seed(0)
    model = Attends(CONFIG)
    x, t = torch.randn(4, 1, 8, 8), torch.arange(4)
    expected = model(x, t)
    answer = Runner(model, setting)(x, t)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-5 if setting.precision == torch.float32 else 0.02)


def test_a_setting_reads_as_one_would_say_it():
    assert str(PLAIN) == "float32"
    assert str(Setting(torch.bfloat16, True, "math", True, 2)) == (
        "bfloat16, channels last, math attention, compiled, 2 threads"
    )
