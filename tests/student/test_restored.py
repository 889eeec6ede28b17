"""After the overfit run only what was learnt counts: parameters, torch.nn's own statistics, and averages."""

import sys

import pytest
import torch

from assignment.ddpm.config import ModelConfig
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.grading_config import Budget, Time
from grader.student import deadlines, overfit
from grader.student.budget import TimeBudget
from grader.student.deadlines import Deadlines
from grader.student.network import Network
from grader.submission.in_process import InProcessSubmission

UNHURRIED = Deadlines(deadlines.UNHURRIED, TimeBudget(Time(1e9, 1e9, 1e9)))
CONFIG = ModelConfig(image_channels=1, image_size=4, num_timesteps=10)
HEAD = """
import torch
from torch import nn


class DiffusionModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear = nn.Linear(16, 16)
"""
ADDED = {
    "nothing": ("", "h"),
    "batch norm": ("self.norm = nn.BatchNorm1d(16)", "self.norm(h)"),
    "a counter": ("self.register_buffer('n', torch.zeros(()))", "h + 0 * self.n.add_(1)"),
    "an average": (
        "self.register_buffer('mean', torch.full((16,), 5.0))",
        "h - (self.mean.lerp_(h.detach().mean(0), 0.2) if self.training else self.mean)",
    ),
    "a memory": ("self.register_buffer('seen', torch.zeros(2, 16))", "h + self.see(x)"),
    "a parameter written by forward": ("self.seen = nn.Parameter(torch.zeros(2, 16))", "h + self.see(x)"),
    "a frozen parameter": ("self.seen = nn.Parameter(torch.zeros(2, 16), requires_grad=False)", "h + self.see(x)"),
}  # fmt: skip
KEPT = {"nothing", "batch norm"}
RESET = {"a counter": "n", "an average": "mean", "a memory": "seen", "a frozen parameter": "seen"}
SEE = """
    def see(self, x):
        if self.training:
            self.seen.data.copy_(x.flatten(1)[:2])
        return 100 * (self.seen != 0).float().mean() * (x.flatten(1) - self.seen[0])
"""


@pytest.fixture
def submit(tmp_path):
    def submit(added: str) -> InProcessSubmission:
        make, use = ADDED[added]
        forward = f"        h = self.linear(x.flatten(1))\n        return ({use}).view(x.shape)\n"
        source = f"{HEAD}        {make or 'pass'}\n\n    def forward(self, x, t):\n{forward}{SEE}"
        (tmp_path / "model.py").write_text(source)
        return InProcessSubmission(tmp_path, device="cpu")

    yield submit
    sys.modules.pop("assignment.model", None)


@pytest.mark.parametrize("added", ADDED)
def test_what_is_kept(added, submit, monkeypatch):
    monkeypatch.setattr(overfit.restored, "REFILLS", 40)
    submission = submit(added)
    images, others = torch.rand(2, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    budget = Budget(images=2, batch=2, steps=20, longest=20, share=100.0 if added == "an average" else 1e-9)
    network = Network(submission, UNHURRIED, CONFIG, seed=1)
    trained = overfit.run(lambda another: network, GaussianDiffusion(10, 0.01, 0.4), images, others, budget, 1e-3)
    submission.close()
    assert trained.restored.reset == ((RESET[added],) if added in RESET else ())
    loss, with_all = trained.loss, trained.restored.loss_with_all
    if added in KEPT:
        assert loss == with_all
    if "memory" in added or "frozen" in added:
        assert loss != pytest.approx(with_all, rel=1e-3)


def test_a_wrong_t_is_the_t_of_another_triple():
    asked = []

    class Listener:
        def __call__(self, x, t):
            asked.append((x, t))
            return torch.zeros_like(x)

    images, diffusion = torch.zeros(3, 1, 4, 4), GaussianDiffusion(1000)
    triples = overfit.Triples.draw(diffusion, images, torch.Generator().manual_seed(0))
    losses = overfit.restored.at_wrong_t(Listener(), triples, torch.Generator().manual_seed(1))
    assert losses.shape == triples.t.shape and losses.mean() == pytest.approx(1, abs=0.1)
    sizes = [len(t) for _, t in asked]
    assert sum(sizes) == len(triples.t) and len(set(sizes)) > 1 and 8 <= min(sizes) <= max(sizes) < 24
    own = {x.sum().item(): int(t) for x, t in zip(triples.x_t, triples.t, strict=True)}
    far = [abs(own[x.sum().item()] - int(t)) for xs, ts in asked for x, t in zip(xs, ts, strict=True)]
    assert min(far) >= 200
