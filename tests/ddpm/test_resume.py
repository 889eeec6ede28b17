"""A run that stopped, for whatever reason, resumes exactly; anything that does not belong to it is rejected."""

import os

import pytest
import torch

from assignment.ddpm import training
from assignment.ddpm.config import load_config
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.runner import Runner, Setting
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.validation import validation_loss
from tests.support.networks import DiffusionModel, Dropout
from tests.support.running import read_log, run, same_weights


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


def test_a_run_goes_on_in_another_memory_layout(tmp_path):
    """The fused optimiser needs its moments in the layout of the weights; on a GPU it rejected a checkpoint's."""
    run(tmp_path, "training.epochs=1")
    run(tmp_path, "training.epochs=2", "training.resume=true", "runtime.channels_last=true")
    trainer = Trainer(
        Runner(DiffusionModel(load_config("configs/digits.yaml").model), Setting(channels_last=True)),
        GaussianDiffusion(50), learning_rate=1e-3, ema_decay=0.9, fused=True,
    )  # fmt: skip
    trainer.load_state_dict(torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True))
    for parameter, moments in trainer.optimizer.state.items():
        assert moments["exp_avg"].stride() == parameter.stride() == moments["exp_avg_sq"].stride()


def test_a_crash_while_an_epoch_is_judged_loses_no_row(tmp_path, monkeypatch):
    """A checkpoint between an epoch's last step and its row in the log once lost the row."""
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
