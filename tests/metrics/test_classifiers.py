"""The shipped classifiers, by which samples are judged."""

import json
from pathlib import Path

import pytest
import torch

from assignment.ddpm.data import load_part
from assignment.ddpm.errors import UserError
from grader.metrics import classifier
from grader.metrics.train_classifier import RECIPES, augment
from tests.support.everything import EVERYTHING

T = 1000


def accuracy(data: str, root: Path, every: int) -> tuple[float, int]:
    """On one in so many test images; and on how many that is."""
    images, labels = (part[::every] for part in load_part(data, root, train=False))
    p = classifier.probabilities(classifier.load(data).network, images)
    return (p.argmax(1) == labels).double().mean().item(), len(labels)


@pytest.mark.parametrize(("data", "least"), [("digits", 0.97), ("fashion_mnist", 0.92), ("cifar10", 0.85)])
def test_shipped_classifiers_are_as_good_as_they_say(data, least, request):
    root = Path("unused") if data == "digits" else request.getfixturevalue("real_data")
    shipped = classifier.load(data)
    assert shipped.about["test_accuracy"] >= least
    says = shipped.about["test_accuracy"]
    every = 1 if EVERYTHING or data == "digits" else 10
    measured, n = accuracy(data, root, every)
    assert measured == pytest.approx(says, abs=0.003 if every == 1 else 4 * (says * (1 - says) / n) ** 0.5)
    assert classifier.weights_file(data).stat().st_size <= 2 << 20


def test_a_classifiers_name_is_that_of_its_weights(tmp_path, monkeypatch):
    import safetensors.torch

    before = classifier.load("digits").name
    state = safetensors.torch.load_file(classifier.weights_file("digits"))
    state["head.1.bias"][0] += 1
    about = json.dumps({"test_accuracy": 0})
    safetensors.torch.save_file(state, tmp_path / "digits.safetensors", metadata={"about": about})
    monkeypatch.setattr(classifier, "WEIGHTS", tmp_path)
    classifier.load.cache_clear()
    try:
        assert classifier.load("digits").name != before
        with pytest.raises(UserError, match="no classifier to judge its samples by, only for digits"):
            classifier.load("stripes")
    finally:
        classifier.load.cache_clear()


def test_features_have_unit_variance_over_the_training_images(digits):
    features = classifier.load("digits").network.features(digits.train)
    assert features.shape == (len(digits.train), classifier.FEATURES)
    assert 0.5 < features.var(0).mean() < 1.5


def test_augmentation_moves_and_mirrors_whole_images():
    image = torch.zeros(64, 1, 8, 8, dtype=torch.uint8)
    image[:, :, 4, 3] = 200  # a single pixel
    moved = augment(image, RECIPES["fashion_mnist"], torch.Generator().manual_seed(0))
    assert moved.shape == image.shape and moved.dtype == torch.uint8
    assert (moved.flatten(1).sum(1) == 200).all()
    rows, columns = moved.flatten(1).argmax(1) // 8, moved.flatten(1).argmax(1) % 8
    assert rows.min() == 2 and rows.max() == 6  # moved by up to 2
    assert columns.min() == 1 and columns.max() == 6  # and mirrored: 3 → 4
