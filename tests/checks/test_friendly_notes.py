"""Notes without points are true wherever they are made, and are not made of a right network without reason."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assignment.ddpm.config import load_config
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding
from grader.checks.friendly_notes import NARROW, adds_x, on_modes, on_t, widest_of_t
from grader.grade import grade
from grader.worker.angles import Angles
from grader.worker.network_probes import modes
from tests.conftest import ROOT
from tests.proof.bank import BANK, entries
from tests.proof.trained import DIGITS, network_class
from tests.support.networks import Dropout

T = 1000
CONFIG = load_config(ROOT / "configs" / "digits.yaml").model
GIVEN = SinusoidalTimestepEmbedding(16)


TIMES = torch.tensor([T - 1, T - 1, T // 2])


def watched(model) -> dict[str, list[torch.Tensor]]:
    x, found = torch.randn(2, 1, 8, 8), {}
    with torch.no_grad(), Angles(3) as seen:
        model(torch.cat([x, x[:1]]), TIMES)
    for name, value in seen.found.items():
        found.setdefault(name.split()[0], []).append(value)
    return found


def widest(model) -> float | None:
    return widest_of_t(watched(model).get("angle", []), TIMES)


def own(angles):
    """A network that takes the sine of this."""
    return lambda x, t: x * torch.sin(angles(x, t)).mean()


FREQUENCIES = torch.logspace(0, -4, 8)
torch.manual_seed(0)
MLP = nn.Sequential(nn.Linear(1, 8), nn.SiLU(), nn.Linear(8, 8))


@pytest.mark.parametrize(
    ("model", "narrow"),
    [
        (lambda x, t: GIVEN(t / T), True),
        (lambda x, t: GIVEN(t.float() / (T - 1)), True),
        (own(lambda x, t: t[:, None] / T * FREQUENCIES), True),
        (own(lambda x, t: t[:, None] * FREQUENCIES / T), True),
        (lambda x, t: GIVEN(t), False),
        (lambda x, t: GIVEN(1000 * (t / T)), False),
        (own(lambda x, t: 2 * math.pi * 16 * t[:, None] / T * FREQUENCIES), False),  # Fourier features of t / T
        (own(lambda x, t: MLP(t[:, None] / T)), False),  # sines as activations
        (own(lambda x, t: x.flatten(1) * t[:, None] / T), False),
        (own(lambda x, t: torch.arange(3.0)[:, None] / 10), False),  # of positions
        (lambda x, t: x, False),
        (lambda x, t: torch.sin(torch.zeros(())) + torch.cos(torch.ones(5)), False),
    ],
)
def test_only_an_embedding_of_t_that_hardly_turns_is_noted(model, narrow):
    found = widest(model)
    assert (found is not None and found <= NARROW) == narrow, found


@pytest.mark.parametrize(
    ("model", "raw"),
    [
        (lambda x, t: MLP(t.float()[:, None]), True),
        (lambda x, t: MLP(t[:, None] / 10.0), True),
        (lambda x, t: MLP(t.float()[:, None] / T), False),
        (lambda x, t: MLP[2](GIVEN(t)[:, :8]), False),
        (lambda x, t: MLP(x[:, 0, 0, :1] + t[:, None]), False),
        (lambda x, t: MLP(torch.zeros(3, 1)), False),
        (lambda x, t: MLP(torch.full((3, 1), 500.0)), False),  # not of t
    ],
)
def test_only_a_linear_layer_of_the_number_t_is_noted(model, raw):
    assert ("t as a number" in on_t(watched(model), TIMES)) == raw


@pytest.mark.parametrize(
    "name", ["fourier_log_snr", "noise_level_wavegrad", "weight_norm", "t_over_t_max_mlp", "spectral"]
)
def test_right_embeddings_of_other_kinds_are_left_in_peace(name):
    assert on_t(watched(network_class(BANK / "right" / "networks" / f"{name}.py")(CONFIG).eval()), TIMES) == {}


FORWARD = """
class DiffusionModel(nn.Module):
    def forward(self, x, t):
        {}
"""


@pytest.mark.parametrize(
    ("body", "adds"),
    [
        ("return x + self.net(x, t)", True),
        ("h = self.net(x, t)\n        return h + x", True),
        ("y = x + self.net(x, t)\n        return y", True),
        ("return self.net(x, t)", False),
        ("x = self.first(x)\n        return x + self.net(x, t)", False),  # features, not the image
        ("return x - self.net(x, t)", True),
        ("y = self.net(x, t) - x\n        return y", True),
        ("return x * self.net(x, t)", False),
        ("return (x + self.net(x, t)) / 2", False),
        ("y = x + self.net(x, t)\n        y = self.last(y)\n        return y", False),
        ("if t.any():\n            return x + 1\n        return self.net(x, t)", False),
    ],
)
def test_only_a_plain_sum_with_the_image_is_noted(body, adds):
    assert adds_x(FORWARD.format(body).encode()) == adds


@pytest.mark.parametrize(
    "source", [b"", b"class DiffusionModel", b"\0", b"class DiffusionModel:\n def forward(): return 1", b"(" * 9999]
)
def test_a_source_that_says_nothing_gets_no_note(source):
    assert not adds_x(source)


def test_in_the_bank_of_right_networks_the_note_is_true():
    """Of functional_params: it returns dense(…) + x."""
    noted = [entry.name for entry in entries() if entry.right and entry.level == 1 and adds_x(entry.file.read_bytes())]
    assert noted == ["right/networks/functional_params"]


class OnlyInTraining(Dropout):
    def __init__(self, config, *kept):
        super().__init__(config)
        self.body[-1] = nn.Sequential(*(layer for layer in self.body[-1] if isinstance(layer, kept)))

    def forward(self, x, t):
        return super().forward(x, t) + (self.last(self.first(x)) if self.training else 0.0)


def noted_modes(network: nn.Module) -> dict[str, str]:
    generator = torch.Generator().manual_seed(0)
    for p in network.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=generator)
    session = SimpleNamespace(networks={"it": network}, device=torch.device("cpu"))
    x = torch.randn(2, CONFIG.image_channels, CONFIG.image_size, CONFIG.image_size, generator=generator)
    values, answers = modes(session, {"x": x, "t": torch.tensor([3, 700])}, name="it", seeds=[1, 2])
    return on_modes(list(answers.values()), values["wrote"])


def test_a_network_that_is_another_one_in_training_is_noted():
    assert "`if self.training`" in noted_modes(OnlyInTraining(CONFIG))["eval mode"]
    assert noted_modes(OnlyInTraining(CONFIG, nn.Dropout)) == {}  # may be its dropout
    assert noted_modes(OnlyInTraining(CONFIG, nn.BatchNorm2d)) == {}  # may be its statistics


def test_in_the_bank_of_right_networks_both_modes_are_one_network():
    right = [e for e in entries() if e.right and e.level == 1 and "by_their_names" not in e.name]  # it warns when built
    assert [entry.name for entry in right if noted_modes(network_class(entry.file)(CONFIG))] == []


NOTED = """
from torch import nn
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.T = config.num_timesteps
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(16), nn.Linear(16, 16))
        self.first = nn.Conv2d(config.image_channels, 16, 3, padding=1)
        self.last = nn.Conv2d(16, config.image_channels, 1)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x, t):
        return x + self.last(self.norm(self.first(x)) + self.time(t / self.T)[:, :, None, None])
"""


def test_the_report_has_the_notes_and_they_cost_nothing(tmp_path):
    (tmp_path / "model.py").write_text(NOTED)
    only = ["level1.contract.builds", "level1.timestep.depends_on_t"].__contains__
    results = grade(tmp_path, levels=[1], config=DIGITS, quiet=True, only=only)
    assert [check.verdict for check in results.checks] == ["passed", "passed"]
    assert {"BatchNorm", "x + f(x)", "sinusoids of t"} <= set(results.information)
    assert "no angle is beyond 1 rad" in results.information["sinusoids of t"]


UNLIKE = """
from torch import nn
from assignment.ddpm.embeddings import SinusoidalTimestepEmbedding

class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.time = nn.Sequential(SinusoidalTimestepEmbedding(16), nn.Linear(16, 16))
        self.first = nn.Conv2d(config.image_channels, 16, 3, padding=1)
        self.coarse = nn.Conv2d(16, 16, 3, padding=1)
        self.last = nn.Conv2d(16, config.image_channels, 1)

    def forward(self, x, t):
        h = self.first(x) + self.time(t)[:, :, None, None]
        return self.last(h + self.coarse(h) if self.training else h)
"""


def test_the_report_says_that_samples_come_from_another_network(tmp_path):
    (tmp_path / "model.py").write_text(UNLIKE)
    results = grade(tmp_path, levels=[1], config=DIGITS, quiet=True, only="level1.training.gradient_flow".__eq__)
    assert [check.verdict for check in results.checks] == ["passed"]
    assert "`if self.training`" in results.information["eval mode"]
