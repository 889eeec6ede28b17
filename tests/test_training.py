"""Training lowers the loss, stops when it must, and a resumed run is the run itself."""

import csv
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from assignment.ddpm import data, exercise, training
from assignment.ddpm.checkpoint import load_weights
from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.device import Runner
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.validation import freeze_triples, validation_loss
from reference.sampler import DDPMSampler
from tests.networks import DiffusionModel

QUICK = ("model.num_timesteps=50", "data.limit=256", "sampling.num_images=4", "training.epochs=3", "runtime.device=cpu")


def run(folder: Path, *overrides: str, network=DiffusionModel) -> Path:
    """The exercise on digits with a small network, in `folder`; returns the run's own folder."""
    config = load_config("configs/digits.yaml", [*QUICK, f"output_dir={folder}", *overrides])
    exercise.run(config, network, DDPMSampler, folder / "run")
    return folder / "run"


def read_log(run_dir: Path) -> list[dict[str, str]]:
    """Everything in log.csv but the time that it took."""
    with open(run_dir / "log.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def same_weights(a: Path, b: Path) -> bool:
    a, b = (load_file(run_dir / "weights.safetensors") for run_dir in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return run(
        tmp_path_factory.mktemp("finished"), "training.epochs=12", "data.batch_size=16", "sampling.every_epochs=5"
    )


def test_a_short_real_training_lowers_the_loss(finished):
    losses = [float(row["val_loss"]) for row in read_log(finished)]
    assert len(losses) == 12
    assert losses[-1] < 0.75 * losses[0] and losses[-1] < 0.6  # predicting zero scores 1


def test_a_run_leaves_its_files(finished):
    names = {path.name for path in finished.iterdir()}
    previews = {"samples-epoch-0005.png", "samples-epoch-0010.png"}  # after the last epoch comes samples.png itself
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
    assert about == {"epoch": best["epoch"], "step": best["step"], "val_loss": best["val_loss"]}
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
    def stripes(root):
        images = torch.arange(0, 250, 50, dtype=torch.uint8).repeat(200, 3, 6, 1)[..., :4].repeat(1, 1, 1, 2)[..., :6]
        return images[:180], images[180:]

    (tmp_path / "stripes.yaml").write_text(
        "data: {name: stripes, batch_size: 32}\n"
        "model: {image_channels: 3, image_size: 6, num_timesteps: 20}\n"
        "training: {epochs: 1}\n"
        "sampling: {num_images: 2}\n"
    )
    config = load_config(tmp_path / "stripes.yaml", [f"output_dir={tmp_path}"])
    exercise.run(config, DiffusionModel, DDPMSampler, tmp_path / "run")
    assert (tmp_path / "samples.png").exists() and len(read_log(tmp_path / "run")) == 1


class Dropout(DiffusionModel):
    """Draws random numbers of its own, and keeps running statistics."""

    def __init__(self, config):
        super().__init__(config)
        self.body.append(nn.Sequential(nn.Dropout(0.2), nn.BatchNorm2d(32)))


def test_resuming_at_an_epoch_is_exact_also_with_dropout_and_batch_norm(tmp_path):
    whole = run(tmp_path / "whole", network=Dropout)
    run(tmp_path / "parts", "training.epochs=1", network=Dropout)
    parts = run(tmp_path / "parts", "training.resume=true", network=Dropout)
    assert read_log(parts) == read_log(whole)
    assert same_weights(parts, whole)


class Interrupted(DiffusionModel):
    """Ctrl-C arrives during step 6, in the middle of the second epoch."""

    steps = 0

    def forward(self, x, t):
        if self.training:
            type(self).steps += 1
            if self.steps == 6:
                os.kill(os.getpid(), 2)
        return super().forward(x, t)


def test_ctrl_c_saves_the_step_and_resuming_is_exact(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", network=Interrupted)
    assert torch.load(tmp_path / "parts/run/checkpoint.pt", weights_only=True)["step_count"] == 6
    parts = run(tmp_path / "parts", "training.resume=true")
    assert read_log(parts) == read_log(run(tmp_path / "whole"))


class Clockwork(DiffusionModel):
    """A training step takes a second."""

    seconds = 0

    def forward(self, x, t):
        type(self).seconds += self.training
        return super().forward(x, t)


def test_out_of_time_within_an_epoch_leaves_weights_and_resuming_is_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(training.time, "monotonic", lambda: Clockwork.seconds)
    parts = run(tmp_path / "parts", f"training.max_minutes={6.5 / 60}", network=Clockwork)
    assert [row["epoch"] for row in read_log(parts)] == ["1.0", "1.75"]
    assert (parts / "weights.safetensors").exists()
    parts = run(tmp_path / "parts", "training.resume=true")
    assert read_log(parts) == read_log(run(tmp_path / "whole"))


def test_a_crash_while_an_epoch_is_judged_loses_no_row(tmp_path, monkeypatch):
    """A checkpoint between the last step of an epoch and its row of the log once made the row disappear."""
    calls = iter(range(10))

    def crash(*args):
        if next(calls) == 1:
            raise SystemError("the power fails")
        return validation_loss(*args)

    with monkeypatch.context() as patched, pytest.raises(SystemError):
        patched.setattr(training, "validation_loss", crash)
        run(tmp_path / "parts", "training.checkpoint_minutes=0")
    parts = run(tmp_path / "parts", "training.resume=true")
    assert read_log(parts) == read_log(run(tmp_path / "whole"))


def test_sampling_again_without_training(finished, capsys):
    samples = finished.parent / "samples.png"
    before = samples.read_bytes()
    again = ("training.epochs=12", "data.batch_size=16", "training.resume=true", "training.max_minutes=0")
    run(finished.parent, *again)
    assert samples.read_bytes() == before
    run(finished.parent, *again, "sampling.seed=1")
    assert samples.read_bytes() != before
    assert load_config(finished / "config.yaml").training.max_minutes is None  # of the training, not of this
    assert "epoch 12" in capsys.readouterr().out


def test_nothing_to_sample_from(tmp_path):
    with pytest.raises(RunError, match="no trained weights to sample from"):
        run(tmp_path, "training.resume=true", "training.max_minutes=0")


def test_earlier_runs_are_kept(tmp_path):
    first = read_log(run(tmp_path))
    second = read_log(run(tmp_path, "training.seed=1"))
    third = read_log(run(tmp_path, "training.seed=2"))
    assert read_log(tmp_path / "run.1") == first != second
    assert read_log(tmp_path / "run.2") == second != third


def test_a_checkpoint_of_other_settings_is_refused_and_kept(tmp_path):
    run_dir = run(tmp_path, "training.epochs=1")
    before = (run_dir / "checkpoint.pt").read_bytes()
    with pytest.raises(UserError, match=r"another run: training.learning_rate was 0.001, is 0.002 now"):
        run(tmp_path, "training.resume=true", "training.learning_rate=2e-3")
    assert (run_dir / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    run(tmp_path, "training.epochs=1")
    with pytest.raises(UserError, match=r"of another network than the one in the code now"):
        run(tmp_path, "training.resume=true", network=Dropout)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = run(tmp_path, "training.epochs=1") / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"checkpoint.pt: not readable as a checkpoint"):
        run(tmp_path, "training.resume=true")


def test_damaged_or_foreign_weights_are_refused(tmp_path):
    path = run(tmp_path, "training.epochs=1") / "weights.safetensors"
    whole = path.read_bytes()
    again = ("training.epochs=1", "training.resume=true", "training.max_minutes=0")
    path.write_bytes(whole[:300])
    with pytest.raises(UserError, match=r"weights.safetensors: not readable as weights"):
        run(tmp_path, *again)
    path.write_bytes(whole)
    (tmp_path / "run/checkpoint.pt").unlink()
    with pytest.raises(UserError, match=r"weights.safetensors: weights of another network"):
        run(tmp_path, *again, network=Dropout)


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
        assert all(file.get_tensor(key).isfinite().all() for key in file.keys())  # noqa: SIM118


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
        "runtime.compile=true",
        "training.fused_optimizer=false",
    ],
)
def test_every_switch_trains_the_same_network(switch, tmp_path):
    plain, switched = run(tmp_path / "plain", "training.epochs=1"), run(tmp_path / "other", "training.epochs=1", switch)
    losses = [float(read_log(run_dir)[0]["val_loss"]) for run_dir in (plain, switched)]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)  # measured: at most 0.1 %


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


@pytest.mark.parametrize("options", [{"channels_last": True}, {"precision": torch.bfloat16}])
def test_a_runner_answers_as_the_network_does(options):
    torch.manual_seed(0)
    model = DiffusionModel(load_config("configs/digits.yaml").model)
    x, t = torch.randn(4, 1, 8, 8), torch.arange(4)
    expected = model(x, t)
    answer = Runner(model, **{"precision": torch.float32, **options})(x, t)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-5 if "channels_last" in options else 0.02)
