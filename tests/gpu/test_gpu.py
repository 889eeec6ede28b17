"""The same exercise on a CUDA GPU, compiled and in half precision. Skipped where there is none."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import RunError
from assignment.ddpm.runner import Runner
from assignment.ddpm.validation import freeze_triples, validation_loss
from grader.check_ids import needs_training
from grader.errors import TimedOut
from grader.grade import grade
from grader.submission.process import ForkServer, Submission
from tests.proof.bank import BANK
from tests.support.networks import DiffusionModel
from tests.support.running import read_log, run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")

GPU = ("runtime.device=cuda", "data.limit=1024", "data.batch_size=128", "runtime.precision=bfloat16",
       "runtime.channels_last=true", "runtime.compile=true")  # fmt: skip


def test_what_auto_measures_on_a_gpu_is_what_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("assignment.ddpm.autotune.SHORT", 0)
    auto = [f"runtime.{key}=auto" for key in ("precision", "channels_last", "compile", "attention", "threads")]
    run(tmp_path, *GPU, *auto, "training.epochs=1")
    out = capsys.readouterr().out
    assert "speed: " in out and "channels last" in out and "float16: " in out
    assert list(tmp_path.rglob("speed-*.json"))


def test_training_on_a_gpu_learns_and_resumes(tmp_path):
    whole = run(tmp_path / "whole", *GPU, "training.epochs=6")
    losses = [float(row["val_loss"]) for row in read_log(whole)]
    assert losses[-1] < 0.9 * losses[0]

    run(tmp_path / "parts", *GPU, "training.epochs=3")
    parts = run(tmp_path / "parts", *GPU, "training.epochs=6", "training.resume=true")
    # the same steps and noise; only the order of sums in the kernels may differ
    assert [float(row["val_loss"]) for row in read_log(parts)] == pytest.approx(losses, rel=0.02)
    assert (tmp_path / "parts" / "samples.png").exists()


def test_the_validation_loss_is_that_of_the_cpu():
    torch.manual_seed(0)
    model = DiffusionModel(load_config("configs/digits.yaml").model)
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8)).validation
    losses = []
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        runner = Runner(model.to(device))
        losses.append(
            validation_loss(runner, GaussianDiffusion(device=device), freeze_triples(images, 1000, device), 64)
        )
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


class Enormous(DiffusionModel):
    def forward(self, x, t):
        if self.training:
            torch.empty(1 << 50, device=x.device)
        return super().forward(x, t)


def test_running_out_of_memory_for_real(tmp_path):
    with pytest.raises(RunError, match=r"out of memory with data.batch_size=128: try data.batch_size=64"):
        # not compiled: the compiler leaves out memory that nothing reads
        run(tmp_path, *GPU, "runtime.compile=false", network=Enormous)


@pytest.fixture
def submission(tmp_path):
    shutil.copy(BANK / "right" / "networks" / "residual_convnet.py", tmp_path / "model.py")
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", tmp_path / "sampler.py")
    return tmp_path


def test_a_right_submission_gets_full_marks_on_a_gpu(submission):
    config = Path("configs/digits.yaml")
    results = grade(
        submission, levels=[1, 4], config=config, overrides=["runtime.device=cuda"], quiet=True,
        only=lambda check: not needs_training(check),
    )  # fmt: skip
    assert results.environment["device"] == "cuda"
    assert [(c.id, c.message) for c in results.checks if c.verdict != "passed"] == []


def test_a_hung_kernel_is_cut_off_and_the_next_worker_has_a_working_gpu(submission):
    network = (submission / "model.py").read_text()
    hung = "\nimport torch\ntorch.cuda._sleep(10**13)\ntorch.cuda.synchronize()\n"
    (submission / "model.py").write_text(network + hung)
    fork_server = ForkServer(fork=False)
    config = vars(load_config("configs/digits.yaml").model)
    for source, raises in ((None, pytest.raises(TimedOut)), (network, nullcontext())):
        if source:
            (submission / "model.py").write_text(source)
        handle = Submission(submission, fork_server, device="cuda")
        with raises:
            handle.request("build", seconds=30, name="network", config=config, seed=0)
        handle.close()
