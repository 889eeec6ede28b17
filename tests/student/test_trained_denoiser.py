"""What stores images fails `samples.denoises`, beside a real denoiser as well; the reference passes."""

import hashlib
import shutil
from pathlib import Path

import pytest
import safetensors.torch

from assignment.ddpm.checkpoint import WEIGHTS, save_weights
from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images, to_float
from grader.checks.denoises import check_same_alone
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.learning import check_wrong_t_costs
from grader.grading_config import Drawing, load_grading
from grader.student.budget import TimeBudget
from grader.student.deadlines import UNHURRIED, Deadlines
from grader.student.trained_network import TrainedNetwork
from grader.student.trained_samples import TrainedSamples
from grader.student.weights import WeightsAt
from grader.submission.in_process import InProcessSubmission
from grader.submission.seed import Seed
from tests.conftest import ROOT
from tests.proof.bank import BANK
from tests.proof.trained import DIGITS, KINDS, Kind, make, network_class, write_state

HONEST = "from reference.model import DiffusionModel as Honest\n"


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr(TrainedSamples, "drawing", Drawing(images=64, steps=50))


def samples_of(weights: Path, folder: Path, config: Path = DIGITS, *overrides: str) -> TrainedSamples:
    deadlines = Deadlines(UNHURRIED, TimeBudget(load_grading().time))
    network = TrainedNetwork(
        InProcessSubmission(folder, device="cpu"), deadlines, load_config(config, overrides), config=config,
        weights=WeightsAt(weights), seed=Seed(5, "given", b"a secret of the course"),
    )  # fmt: skip
    return TrainedSamples(network)


def hybrid(folder: Path, way: int) -> TrainedSamples:
    """The reference, beside a store that is chosen in one of the ways of hybrid.py."""
    (folder / "model.py").write_text(HONEST + (BANK / "trained" / "hybrid.py").read_text())
    model = network_class(folder / "model.py")(load_config(DIGITS, []).model)
    shipped = safetensors.torch.load_file(ROOT / "reference" / "weights" / "digits.safetensors")
    model.honest.load_state_dict({name: value.float() for name, value in shipped.items()})
    model.way.fill_(way)
    if way >= 0:
        write_state(model, Kind("", samples=False, loss=False, stored="all", roll=1), seed=0)
    code = hashlib.sha256((folder / "model.py").read_bytes()).hexdigest()
    save_weights(model, folder / WEIGHTS, code=code)
    return samples_of(folder / WEIGHTS, folder)


def test_the_reference_is_a_denoiser_and_knows_nothing_by_heart(tmp_path):
    samples = hybrid(tmp_path, way=-1)
    found = samples.denoising
    assert found["margin"] > 0.2 and found["alone_difference"] <= found["alone_limit"]
    assert samples.denoiser.check_none_by_heart()["known_by_heart"] == 0


def test_who_answers_by_the_past_answers_otherwise_when_asked_again(tmp_path):
    samples = hybrid(tmp_path, way=1)
    with pytest.raises(CheckFailed, match="asked again, as in the calls"):
        check_same_alone(*samples.denoiser.asked_again[:3])


@pytest.mark.parametrize("way", [0, 2], ids=("by the batch", "by place"))
def test_a_store_beside_a_denoiser_is_none(way, tmp_path):
    samples = hybrid(tmp_path, way)
    with pytest.raises(CheckFailed, match="times the loss"):
        samples.denoising  # noqa: B018  judged when first looked at
    with pytest.raises(NotJudged, match=r"waits for samples\.denoises"):
        samples.counted(dict)


def test_stored_images_are_known_by_heart(tmp_path):
    weights = make(KINDS["replay"], tmp_path, seed=0)
    samples = samples_of(weights, tmp_path / "handed in")
    with pytest.raises(CheckFailed, match="of the usual loss"):
        samples.denoiser.check_none_by_heart()


def test_a_store_of_clothes_is_no_denoiser(real_data, tmp_path):
    """1,350 training images, moved by a pixel, passed all claims about samples once."""
    config = ROOT / "configs" / "fashion_mnist.yaml"
    overrides = [f"data.root={real_data}"]
    shutil.copy(BANK / "trained" / "replayer.py", tmp_path / "model.py")
    model = network_class(tmp_path / "model.py")(load_config(config, overrides).model)
    images = load_images("fashion_mnist", real_data, limit=None, shape=(1, 28, 28)).train
    model.images.copy_(to_float(images[:1350]).roll(1, -1))
    model.width.fill_(0.3)  # the kindest to images that it does not know
    save_weights(model, tmp_path / WEIGHTS, code=hashlib.sha256((tmp_path / "model.py").read_bytes()).hexdigest())
    with pytest.raises(CheckFailed, match="times the loss") as failed:
        samples_of(tmp_path / WEIGHTS, tmp_path, config, *overrides).denoising  # noqa: B018
    assert failed.value.measurements["loss_of_linear"] > 1.5


def test_a_wrong_t_costs_the_reference_its_loss_several_times(tmp_path):
    found = check_wrong_t_costs(*hybrid(tmp_path, way=-1).trained.at_right_and_wrong_t)
    assert found["raised_by_wrong_t"] > 1 and found["loss_at_right_t"] < found["asked_below"]
