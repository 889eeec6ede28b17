"""Level 6's trained side on a denoiser that is written down: the mean of each class, or of all images without one."""

from types import SimpleNamespace

import pytest
import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images, load_test, to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks.finding import CheckFailed, NotJudged
from grader.checks.guided_samples import check_rises, check_uses_labels, check_varied, check_wished
from grader.student.trained_labels import TrainedLabels, in_words, predict_at
from grader.submission.seed import Seed
from grader.suite.pictures import save_guided
from tests.conftest import ROOT

DIGITS = ROOT / "configs" / "digits_conditional.yaml"


class Means:
    """eps_hat of a network that has learnt one image for each label."""

    def __init__(self, config, images, *, by_label=True):
        d, x = GaussianDiffusion.of(config), to_float(images.train)
        self.alpha_bar, self.none, self.by_label = d.alpha_bar, config.model.num_classes, by_label
        of_classes = [x[images.train_labels == label].mean(0) for label in range(self.none)]
        self.means = torch.stack([*of_classes, x.mean(0)])

    def __call__(self, x, t, y, *, autocast=False):
        bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        labels = y if self.by_label else torch.full_like(y, self.none)
        return (x - bar.sqrt() * self.means[labels]) / (1 - bar).sqrt()


@pytest.fixture(scope="module")
def data():
    config = load_config(DIGITS)
    of, shape = config.data, config.model.image_shape
    return (
        config,
        load_images(of.name, of.root, limit=None, shape=shape, num_classes=10),
        load_test(of.name, of.root, shape=shape),
    )


def training(data, *, by_label=True, **model) -> TrainedLabels:
    config, images, test = data
    network = Means(config, images, by_label=by_label)
    settings = load_config(DIGITS, [f"model.{key}={value}" for key, value in model.items()])
    drawing = SimpleNamespace(setting=lambda kind: SimpleNamespace(images=40, steps=10))
    return TrainedLabels(SimpleNamespace(
        settings=settings, images=images, test_images=test, diffusion=GaussianDiffusion.of(config), kind="cpu", seed=3,
        shape=config.model.image_shape, submission=SimpleNamespace(device="cpu"), network=lambda: network,
        chosen_seed=Seed(3, "given", b"a secret of the course"), wanted=drawing, config_shown="configs/its.yaml",
        record=SimpleNamespace(figures={"test": {}, "fingerprints": {}}),
    ))  # fmt: skip


def test_a_network_that_goes_by_the_label(data, tmp_path):
    labels = training(data)
    assert check_uses_labels(*labels.with_right_and_wrong)["raised_by"] > 0.05
    samples = labels.samples
    shares = {w: of.share for w, of in samples.items()}
    assert shares[0.0] < 0.3 and shares[1.0] == shares[3.0] == 1.0 and "100% at w = 3" in in_words(samples)
    check_rises(shares, 40)
    check_wished(shares[3.0], labels.real_share, 3.0, samples[3.0].by_class)
    assert labels.real_share > 0.9
    with pytest.raises(CheckFailed, match="real images lie, got"):
        check_varied(samples[1.0].coverage)
    assert save_guided(samples, tmp_path / "classes.png").stat().st_size > 1000
    with pytest.raises(NotJudged, match="no loss of the reference with labels is recorded"):
        labels.beside_reference  # noqa: B018


def test_a_network_that_does_not(data):
    labels = training(data, by_label=False)
    with pytest.raises(CheckFailed, match="expected a wrong label to raise the loss"):
        check_uses_labels(*labels.with_right_and_wrong)


def test_a_configuration_without_classes_is_not_judged(data):
    with pytest.raises(NotJudged, match=r"configs/its\.yaml has no model\.num_classes"):
        training(data, num_classes="null").samples  # noqa: B018


def test_at_0_and_1_one_answer_is_enough():
    asked = []

    def network(x, t, y):
        asked.append((len(x), y.tolist()))
        return x

    x, t, y = torch.zeros(2, 1, 2, 2), torch.zeros(2).long(), torch.tensor([3, 4])
    for w in (0.0, 1.0, 3.0):
        predict_at(network, w, 7)(x, t, y)
    assert asked == [(2, [7, 7]), (2, [3, 4]), (4, [7, 7, 3, 4])]
