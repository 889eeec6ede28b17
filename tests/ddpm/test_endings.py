"""The end of a training: what is said of it is right, and nothing is said of an honest one."""

import json
import math
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from assignment.ddpm import exercise
from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.endings import explain, still_falling, why_not_finite
from assignment.ddpm.errors import RunError
from assignment.ddpm.milestones import Milestones, beside, load_milestones
from assignment.ddpm.runner import Runner
from assignment.ddpm.symptoms import Symptoms, examine
from assignment.ddpm.validation import freeze_triples
from reference.sampler import DDPMSampler
from tests.bench.results import load
from tests.conftest import ROOT
from tests.support.networks import DiffusionModel
from tests.support.running import QUICK, run

HONEST = Symptoms(nothing=1.0, lowest=-3.9, highest=3.8, by_t=0.6, loss=0.1, loss_in_train_mode=0.11)
FALLING = [(float(i), 0.5 / i, 0.4 / i**0.5) for i in range(1, 13)]
REFERENCE = Milestones([(1.0, 0.24), (10.0, 0.11), (60.0, 0.08)], 651_041)


def said(log=FALLING, steps=1260, found=HONEST, milestones=REFERENCE, **changed) -> list[str]:
    if "loss" in changed:
        changed = {"loss_in_train_mode": changed["loss"]} | changed
    return explain(log, steps, replace(found, **changed), milestones, "make test-level1")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"lowest": 0.0, "loss": 0.56}, "No pixel that the network predicts is below 0.*ReLU"),
        ({"highest": 0.0, "loss": 0.56}, "is above 0"),
        ({"lowest": -1.0, "highest": 1.0, "loss": 0.2}, "beyond ±1.*tanh"),
        (
            {"loss": 0.3, "loss_in_train_mode": 0.1},
            "BatchNorm.*Next: GroupNorm.*K=behaviour",
        ),
        ({"loss": 1.0, "lowest": -0.01, "highest": 0.01}, "nothing was learnt.*Next: make test-level1 K=training"),
        ({"loss": 7.5}, "run away.*learning rate is too high"),
        ({"by_t": 0.0}, "the same answer at every t.*K=timestep"),
    ],
)
def test_each_symptom_is_named_alone(changed, says):
    (found,) = said(log=[(1.0, 0.9, changed.get("loss", 0.1))], **changed)
    assert re.search(says, found), found


def test_of_an_honest_training_nothing_is_said():
    assert said() == []
    assert said(steps=20, loss=1.2, lowest=-0.1, highest=0.1, log=[(1.0, 1.1, 1.2)]) == []  # has hardly begun
    assert said(steps=20, loss=0.99, lowest=0.0, highest=0.01, log=[(1.0, 1.1, 0.99)]) == []
    assert said(loss_in_train_mode=math.nan) == []


def test_losses_tell_learning_by_heart_from_a_jump_and_from_the_impossible():
    rises = [(float(i), 0.2 / i, 0.1 + 0.02 * abs(i - 4)) for i in range(1, 9)]
    assert "by heart. The weights of epoch 4 are kept" in said(log=rises)[0]
    jumps = [*FALLING, (13.0, 0.9, 0.9)]
    assert "jumped from 0.1155 after epoch 12 to 0.9000" in said(log=jumps)[0]
    assert "less than half of the reference's last, 0.0800" in said(log=[(1.0, 0.03, 0.03)])[0]
    assert said(log=[(1.0, 0.03, 0.03)], milestones=None) == []  # on images of one's own nobody knows


def test_every_honest_network_of_the_bank_ends_without_a_warning():
    """As measured by tests/bench/endings.py; judged anew, by the limits of now."""
    networks = (load("endings.json") or {"networks": {}})["networks"]
    right = {name: row for name, row in networks.items() if not row["caught_by"]}
    assert len(right) >= 40 and not [name for name, row in right.items() if "stopped" in row]
    digits = load_milestones("digits", load_config(ROOT / "configs" / "digits.yaml"), ROOT)
    for name, row in right.items():
        assert explain(row["losses"], row["steps"], Symptoms(**row["found"]), digits, "") == [], name


# ---- the network, examined


class WithoutT(DiffusionModel):
    def forward(self, x, t):
        return super().forward(x, torch.zeros_like(t))


def examined(model: nn.Module) -> Symptoms:
    config = load_config("configs/digits.yaml")
    diffusion = GaussianDiffusion.of(config)
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8))
    return examine(Runner(model), diffusion, freeze_triples(images.validation[:65], 1000, torch.device("cpu")), 64)


def test_examining_measures_what_it_says_and_changes_nothing():
    torch.manual_seed(0)
    config = load_config("configs/digits.yaml").model
    model = nn.Sequential()  # its answers are what it is given
    model.forward = lambda x, t: x
    identity = examined(model)
    assert identity.nothing == pytest.approx(1, abs=0.1) and identity.by_t == 0
    assert math.isnan(identity.loss_in_train_mode)  # the last batch would be a single image
    plain = DiffusionModel(config)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    assert examined(plain).by_t > 1e-3 and examined(WithoutT(config)).by_t == 0
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


# ---- beside the reference


def test_a_training_stands_beside_the_reference():
    def words(loss: float, **about) -> str:
        return beside([(1.0, 1.0, 0.9), (7.0, loss, loss)], REFERENCE, 10_000, **{"all_images": True} | about)

    assert words(0.1) == (
        "Validation loss 0.1000 after epoch 7, with 10,000 parameters. The reference (651,041 parameters) stood there "
        "after about 10 epochs; it ended at 0.0800 after epoch 60"
    )
    assert "After epoch 1 the reference (651,041 parameters) had 0.2400" in words(0.5)
    assert "lower than where the reference (651,041 parameters) ended, 0.0800" in words(0.07)
    assert "parameters), trained on all images, stood there after about 1 epoch;" in words(0.2, all_images=False)


def test_only_losses_of_the_same_images_and_noise_are_compared():
    for name in ("digits", "fashion_mnist", "cifar10"):
        config = load_config(ROOT / "configs" / f"{name}.yaml")
        found = load_milestones(name, config, ROOT)
        record = json.loads((ROOT / "reference" / "results" / f"{name}.json").read_text())
        chosen = next(seed for seed in record["seeds"] if seed["seed"] == record["chosen_seed"])
        assert found.final == (chosen["kept_epoch"], pytest.approx(chosen["logged_validation_loss"]))
        assert [loss for _, loss in found.losses] == sorted((loss for _, loss in found.losses), reverse=True)
        for override in ("model.num_timesteps=100", "diffusion.beta_end=0.5"):
            other = load_config(ROOT / "configs" / f"{name}.yaml", [override])
            assert load_milestones(name, other, ROOT) is None
        assert load_milestones(name, load_config(ROOT / "configs" / f"{name}.yaml", ["data.limit=9"]), ROOT)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"seeds": []}', '{"seeds": [{"seed": 0}], "chosen_seed": 0}'])
def test_without_a_record_nothing_is_compared(content, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "digits.yaml").write_text((ROOT / "configs" / "digits.yaml").read_text())
    config = load_config(ROOT / "configs" / "digits.yaml")
    assert load_milestones("digits", config, tmp_path) is None and load_milestones("mine", config, tmp_path) is None
    (tmp_path / "reference" / "results").mkdir(parents=True)
    (tmp_path / "reference" / "results" / "digits.json").write_text(content)
    assert load_milestones("digits", config, tmp_path) is None


def test_whether_the_loss_still_fell():
    assert "training.epochs=24 training.resume=true" in still_falling(FALLING)
    assert still_falling(FALLING[:3]) == "" and still_falling([(float(i), 0.1, 0.1) for i in range(1, 9)]) == ""


# ---- a whole training


def test_the_last_lines_of_a_training(tmp_path, capsys):
    config = load_config("configs/digits.yaml", [*QUICK, "training.epochs=4", f"output_dir={tmp_path}"])
    exercise.run(
        config, WithoutT, DDPMSampler, tmp_path / "run", milestones=REFERENCE, grade="make test-level1 CONFIG=c"
    )
    last = capsys.readouterr().out.split("run: ")[1]
    assert "After epoch 1 the reference (651,041 parameters), trained on all images, had 0.2400" in last


class NoGradient(DiffusionModel):
    def forward(self, x, t):
        with torch.no_grad():
            return super().forward(x, t)


class Overwrites(DiffusionModel):
    def forward(self, x, t):
        y = super().forward(x, t).sigmoid()
        return y.mul_(y)


@pytest.mark.parametrize(
    ("network", "says"), [(NoGradient, "the network's answer has no gradient"), (Overwrites, "an in-place operation")]
)
def test_an_error_in_backward_is_explained_in_a_line(network, says, tmp_path):
    with pytest.raises(RunError, match=says) as stop:
        run(tmp_path, network=network)
    assert "\n" not in str(stop.value)


class FromTheStart(DiffusionModel):
    def forward(self, x, t):
        y = super().forward(x, t)
        return y / 0 if self.training else y


class RootOfZero(DiffusionModel):
    def __init__(self, config):
        super().__init__(config)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x, t):
        return super().forward(x, t) * (1 + self.gain.sqrt())


@pytest.mark.parametrize(
    ("network", "says"),
    [(FromTheStart, "from step 1 on.*before anything was learnt"), (RootOfZero, "from step 2 on.*whose gradient is")],
)
def test_a_loss_that_is_not_finite_says_since_when_and_why(network, says, tmp_path):
    with pytest.raises(RunError, match=says):
        run(tmp_path, network=network)


def test_a_loss_that_was_low_just_before_points_at_single_t():
    assert why_not_finite(43, 0.12, 1e-3, half=False).endswith("such as t = 0 (make test-level1 K=finite)")
    assert why_not_finite(43, 17.0, 1e-3, half=False) == "try a smaller training.learning_rate (now 0.001)"
    assert "runtime.precision=float32" in why_not_finite(43, 0.12, 1e-3, half=True)
