"""Trained submissions on the digits, right and wrong, as the grader gets them: a folder and weights.

Most are trained with the project's own loop; generators that learn nothing get their state written directly.
"""

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from assignment.ddpm import checkpoint as ckpt
from assignment.ddpm import data, exercise
from assignment.ddpm.config import load_config
from assignment.ddpm.data import Part, split, to_float
from grader.check_ids import needs_training
from grader.grade import grade
from grader.results import Results
from reference.sampler import DDPMSampler
from tests.conftest import ROOT
from tests.proof.bank import BANK

DIGITS = ROOT / "configs" / "digits.yaml"


@dataclass(frozen=True)
class Kind:
    """A kind of trained submission, and what it must and must not pass."""

    model: str  # a file in tests/proof/submissions
    samples: bool | None  # the claims about samples of levels 1 and 3; None: either will do
    loss: bool  # level 2's
    overrides: tuple[str, ...] = ()
    images: str = ""  # trained on other images: of one class, or those of validation
    stored: str = ""  # instead of training: all training images, those of one class, or all that no training sees
    width: float = 0.0  # of the stored denoiser
    roll: int = 0  # pixels that stored images are moved by
    beside: str = ""  # a trained kind that answers where the store does not
    way: int = 0  # how hybrid.py chooses between the two


LONG = ("data.batch_size=32", "training.epochs=70")  # enough for a student's U-Net to beat the reference
KINDS = {
    "beats": Kind("trained/unet.py", samples=True, loss=True, overrides=LONG),
    "attention": Kind("right/networks/unet_add_attention.py", samples=True, loss=False),
    "short": Kind("trained/unet.py", samples=True, loss=False, overrides=("training.epochs=30",)),
    "mixer": Kind("right/networks/mlp_mixer.py", samples=None, loss=False, overrides=LONG),
    "fourier": Kind("right/networks/fourier_operator.py", samples=None, loss=False, overrides=LONG),
    "rows": Kind("right/networks/row_gru.py", samples=None, loss=False, overrides=LONG),
    "vit": Kind("right/networks/uvit.py", samples=None, loss=False, overrides=LONG),
    "undertrained": Kind("trained/unet.py", samples=False, loss=False, overrides=("training.epochs=1",)),
    "without_t": Kind("trained/unet_without_t.py", samples=False, loss=False, overrides=LONG),
    "one_class": Kind(
        "trained/unet.py", samples=False, loss=False, overrides=("training.epochs=150",), images="one class"
    ),
    "on_validation": Kind(
        "trained/unet.py", samples=None, loss=False, overrides=("training.epochs=400",), images="validation"
    ),
    "one_class_blurred": Kind("trained/replayer.py", samples=False, loss=False, stored="one class", width=0.3),
    "replay": Kind("trained/replayer.py", samples=False, loss=False, stored="all", width=0.01),
    "replay_rolled": Kind("trained/replayer.py", samples=False, loss=False, stored="all", width=0.05, roll=1),
    "by_the_batch": Kind("trained/hybrid.py", samples=False, loss=False, stored="all", beside="short"),
    "by_the_past": Kind("trained/hybrid.py", samples=False, loss=False, stored="all", beside="short", way=1),
    "by_place": Kind("trained/hybrid.py", samples=False, loss=False, stored="all", beside="short", way=2, roll=1),
    "by_the_first_call": Kind("trained/hybrid.py", samples=False, loss=False, stored="all", beside="short", way=3),
    "knows_the_unseen": Kind("trained/replayer.py", samples=False, loss=False, stored="unseen", width=0.01),
    "by_likeness": Kind("trained/hybrid.py", samples=None, loss=False, stored="unseen", beside="short", way=4),
    "faint_t": Kind("trained/faint_t.py", samples=False, loss=False, stored="nothing", beside="without_t"),
    "noise": Kind("trained/silent.py", samples=False, loss=False, stored="nothing"),
}


def make(kind: Kind, folder: Path, seed: int) -> Path:
    """Train, or write the state; returns the weights' path. The folder `handed in` beside it is the submission."""
    handed_in = folder / "handed in"
    handed_in.mkdir(parents=True, exist_ok=True)
    before = f"{(BANK / KINDS[kind.beside].model).read_text()}\n\nHonest = DiffusionModel\n\n" if kind.beside else ""
    (handed_in / "model.py").write_text(before + (BANK / kind.model).read_text())
    config = load_config(DIGITS, [
        f"training.seed={seed}", f"output_dir={folder}", "sampling.num_images=1", "runtime.device=cpu", *kind.overrides
    ])  # fmt: skip
    network = network_class(handed_in / "model.py")
    file = folder / "run" / ckpt.WEIGHTS
    if kind.stored:
        model = network(config.model)
        if kind.beside:
            ckpt.load_weights(model.honest, make(KINDS[kind.beside], folder / "honest", seed))
        write_state(model, kind, seed)
        code = hashlib.sha256((handed_in / "model.py").read_bytes()).hexdigest()
        ckpt.save_weights(model, file, epoch=0, step=0, val_loss="nan", code=code)
    else:
        with other_images(kind.images, seed) if kind.images else contextlib.nullcontext():
            exercise.run(config, network, DDPMSampler, folder / "run")
    return file


def network_class(file: Path) -> type[nn.Module]:
    name = f"trained_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that inspect finds the file
    spec.loader.exec_module(module)
    return module.DiffusionModel


def write_state(model: nn.Module, kind: Kind, seed: int) -> None:
    if kind.stored == "nothing":
        return
    if kind.beside:
        model.way.fill_(kind.way)
    images, labels = training_images()
    if kind.stored == "one class":
        images = images[labels == seed % 10]
    elif kind.stored == "unseen":
        images = unseen_images()
    repeated = images[torch.arange(len(model.images)) % len(images)]
    model.images.copy_(to_float(repeated).roll(kind.roll, -1))
    if kind.width:
        model.width.fill_(kind.width)


def training_images() -> tuple[Tensor, Tensor]:
    images, labels = data.load_part("digits", "unused", train=True)
    train, _ = split(len(images))
    return images[train], labels[train]


def unseen_images() -> Tensor:
    """Those for validation, and the test images."""
    of = data.load_images("digits", "unused", limit=None, shape=(1, 8, 8))
    return torch.cat([of.validation, data.load_test("digits", "unused", shape=(1, 8, 8))])


@contextlib.contextmanager
def other_images(which: str, seed: int) -> Iterator[None]:
    """Within the block, training sees only the digits of one class, or only those for validation."""
    whole, usual = data.DATASETS["digits"], data.split

    def part(images: Tensor, labels: Tensor) -> Part:
        return Part(images[labels == seed % 10], labels[labels == seed % 10])

    if which == "one class":
        data.DATASETS["digits"] = lambda root, train: part(*whole(root, train))
    else:
        data.split = lambda count: (usual(count)[1], usual(count)[1])
    try:
        yield
    finally:
        data.DATASETS["digits"], data.split = whole, usual


def judge(
    weights: Path, figures: Path, *, seed: int, levels: tuple[int, ...] = (1, 2, 3), trusted: bool = False
) -> Results:
    """The claims about trained networks, on the digits."""
    options = [f"--weights={weights}", f"--figures={figures}", *(["--trusted"] if trusted else [])]
    return grade(
        weights.parent.parent / "handed in", levels=levels, config=DIGITS, overrides=["runtime.device=cpu"], seed=seed,
        quiet=True, only=needs_training, options=options,
    )  # fmt: skip
