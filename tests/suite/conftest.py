"""What several of these tests share."""

import shutil
from pathlib import Path

import pytest

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import exercise
from assignment.ddpm.config import load_config
from grader.__main__ import main
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, network_class
from tests.support.silent import SILENT


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """assignment/, and outputs/ with a training on the digits that has learnt nothing."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "assignment").mkdir()
    (folder / "assignment" / "model.py").write_text(SILENT)
    shutil.copy(BANK / "right" / "samplers" / "eps_beta_tilde.py", folder / "assignment" / "sampler.py")
    network = network_class(folder / "assignment" / "model.py")
    run = folder / "outputs" / "digits-student"
    config = load_config(DIGITS)
    ckpt.save_weights(
        network(config.model), run / ckpt.WEIGHTS, epoch=7.0, step=70, val_loss=0.5, **exercise.code_of(network)
    )
    ckpt.save_log([{"epoch": 7.0, "step": 70, "train_loss": 0.5, "val_loss": 0.5, "seconds": 1.0}], run / ckpt.LOG)
    (run / ckpt.CONFIG).write_text("data:\n  name: digits\n  root: /nowhere\n")
    return folder


@pytest.fixture(scope="module")
def submission(project) -> Path:
    """What `make submit` packs."""
    target = project / "outputs" / "submission.zip"
    words = ["submit", str(project / "assignment"), "--output", str(target), "--config", str(DIGITS)]
    assert main([*words, f"output_dir={project / 'outputs'}"]) == 0
    return target
