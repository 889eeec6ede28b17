"""Training lowers the loss, writes its files, and validates fairly."""

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from assignment.ddpm import data, exercise
from assignment.ddpm.checkpoint import load_weights
from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.validation import freeze_triples, validation_loss
from reference.sampler import DDPMSampler
from tests.conftest import ROOT
from tests.support.everything import left_to
from tests.support.networks import DiffusionModel, Spectral
from tests.support.running import read_log, run, same_weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return run(
        tmp_path_factory.mktemp("finished"), "training.epochs=12", "data.batch_size=16", "sampling.every_epochs=5"
    )


def test_a_short_real_training_lowers_the_loss(finished):
    losses = [float(row["val_loss"]) for row in read_log(finished)]
    assert len(losses) == 12
    assert losses[-1] < 0.75 * losses[0] and losses[-1] < 0.6  # predicting zero scores 1


def test_complex_weights_are_trained_kept_and_resumed(tmp_path):
    short = ("data.batch_size=16", "training.learning_rate=1e-2", "sampling.every_epochs=0")
    run(tmp_path, "training.epochs=2", *short, network=Spectral)
    folder = run(tmp_path, "training.epochs=6", "training.resume=true", *short, network=Spectral)
    losses = [float(row["val_loss"]) for row in read_log(folder)]
    assert len(losses) == 6 and losses[-1] < losses[0]
    model = Spectral(load_config(folder / "config.yaml").model)
    load_weights(model, folder / "weights.safetensors")
    assert model.filter.dtype == torch.cfloat and model.filter.imag.any()


def test_a_run_leaves_its_files(finished):
    names = {path.name for path in finished.iterdir()}
    previews = {"growth.png", *(f"samples-epoch-{epoch:04d}.png" for epoch in (5, 10, 12))}
    assert names == {
        "weights.safetensors",
        "checkpoint.pt",
        "config.yaml",
        "log.csv",
        "curve.png",
        "noising.png",
        *previews,
    }
    assert (finished.parent / "samples.png").exists()
    assert load_config(finished / "config.yaml").training.epochs == 12
    with safe_open(finished / "weights.safetensors", framework="pt") as file:
        about = file.metadata()
    best = min(read_log(finished), key=lambda row: float(row["val_loss"]))
    code = hashlib.sha256((ROOT / "tests" / "support" / "networks.py").read_bytes()).hexdigest()
    source = (ROOT / "tests" / "support" / "networks.py").read_text()
    facts = {"epoch": best["epoch"], "step": best["step"], "val_loss": best["val_loss"]}
    assert about == facts | {"code": code, "source": source}
    umask = os.umask(0)
    os.umask(umask)
    assert all(path.stat().st_mode & 0o777 == 0o666 & ~umask for path in finished.iterdir())


def test_the_same_seed_is_the_same_run_and_another_is_not(tmp_path):
    first, again = run(tmp_path / "a"), run(tmp_path / "b")
    assert read_log(first) == read_log(again)
    assert same_weights(first, again)
    assert (tmp_path / "a/samples.png").read_bytes() == (tmp_path / "b/samples.png").read_bytes()
    assert read_log(run(tmp_path / "c", "training.seed=1")) != read_log(first)


def test_a_new_data_set_is_one_function_and_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DATASETS", dict(data.DATASETS))

    @data.dataset
    def stripes(root, train):
        images = torch.arange(0, 250, 50, dtype=torch.uint8).repeat(200, 3, 6, 1)[..., :4].repeat(1, 1, 1, 2)[..., :6]
        return data.Part(images[:180] if train else images[180:])

    (tmp_path / "stripes.yaml").write_text(
        "data: {name: stripes, batch_size: 32}\n"
        "model: {image_channels: 3, image_size: 6, num_timesteps: 20}\n"
        "training: {epochs: 1}\n"
        "sampling: {num_images: 2}\n"
    )
    config = load_config(tmp_path / "stripes.yaml", [f"output_dir={tmp_path}"])
    exercise.run(config, DiffusionModel, DDPMSampler, tmp_path / "run")
    assert (tmp_path / "samples.png").exists() and len(read_log(tmp_path / "run")) == 1


def test_sampling_again_without_training(finished, capsys):
    samples, checkpoint = finished.parent / "samples.png", finished / "checkpoint.pt"
    before, untouched = samples.read_bytes(), checkpoint.stat().st_mtime_ns
    again = ("training.epochs=12", "data.batch_size=16", "training.resume=true", "training.max_minutes=0")
    run(finished.parent, *again)
    assert samples.read_bytes() == before
    run(finished.parent, *again, "sampling.seed=1")
    assert samples.read_bytes() != before
    assert checkpoint.stat().st_mtime_ns == untouched
    assert load_config(finished / "config.yaml").training.max_minutes is None  # the training's, not this run's
    assert "epoch 12" in capsys.readouterr().out


def test_weights_are_the_moving_average(tmp_path):
    config = load_config("configs/digits.yaml")
    plain, averaged = (run(tmp_path / d, f"training.ema_decay={d}") for d in ("0", "0.999"))
    state = torch.load(plain / "checkpoint.pt", weights_only=True)
    assert all(
        torch.equal(state["average"][k], v) for k, v in state["model"].items()
    )  # no average: the weights themselves
    state = torch.load(averaged / "checkpoint.pt", weights_only=True)
    kept = DiffusionModel(config.model)
    load_weights(kept, averaged / "weights.safetensors")
    assert all(torch.equal(state["average"][k], v) for k, v in kept.state_dict().items())
    assert any(not torch.equal(state["average"][k], v) for k, v in state["model"].items())


@pytest.mark.parametrize(
    "switch",
    [
        "runtime.channels_last=true",
        "runtime.precision=bfloat16",
        "runtime.precision=float16",  # with loss scaling
        pytest.param("runtime.compile=true", marks=left_to("test-ci")),
        "training.fused_optimizer=false",
    ],
)
def test_every_switch_trains_the_same_network(switch, tmp_path):
    plain, switched = run(tmp_path / "plain", "training.epochs=1"), run(tmp_path / "other", "training.epochs=1", switch)
    losses = [float(read_log(run_dir)[0]["val_loss"]) for run_dir in (plain, switched)]
    # measured on an AVX2 CPU: at most 0.01 % apart (bfloat16); without learning it would be 8 %
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_validation_is_paired_and_stratified():
    diffusion = GaussianDiffusion()
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8)).train[:1000]
    triples = freeze_triples(images, 1000, torch.device("cpu"))
    assert sorted(triples.t.tolist()) == list(range(1000))  # as many strata as images: each step once
    again = freeze_triples(images, 1000, torch.device("cpu"))
    assert torch.equal(triples.t, again.t) and torch.equal(triples.noise, again.noise)

    class Zero(nn.Module):
        def forward(self, x, t):
            return torch.zeros_like(x)

    loss = validation_loss(Zero(), diffusion, triples, 64)
    assert loss == pytest.approx(triples.noise.square().mean().item(), rel=1e-5)
    torch.manual_seed(5)  # nothing in it is random
    assert validation_loss(Zero(), diffusion, triples, 64) == loss
    assert validation_loss(Zero(), diffusion, triples, 7) == pytest.approx(loss, rel=1e-5)
