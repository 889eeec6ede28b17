"""A data set of a course's own: as many classes as it has, or no labels at all."""

import pytest
import torch

from assignment.ddpm.data import DATASETS, Part, digits, load_part
from grader.checks.finding import NotJudged
from grader.metrics import classifier, quality, train_classifier
from grader.metrics.classifier import widths_for
from grader.metrics.train_classifier import Recipe, in_all_rotations, recipe_for
from grader.student.trained_samples import TrainedSamples


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Trains the classifier of a new data set, made of the digits 0, 1 and 2."""
    monkeypatch.setattr(classifier, "WEIGHTS", tmp_path)
    classifier.load.cache_clear()
    yield lambda load: _train(load, tmp_path, monkeypatch)
    classifier.load.cache_clear()


def _train(load, folder, monkeypatch):
    monkeypatch.setitem(DATASETS, "mine", load)
    monkeypatch.setitem(train_classifier.RECIPES, "mine", Recipe(20, 32, 0.05, shift=1, mirror=False))
    (folder / "checkpoints").mkdir()
    return train_classifier.train("mine", folder, folder / "checkpoints", seed=0)


def three_digits(root, train):
    images, labels = digits(root, train)
    few = labels < 3
    return Part(images[few], labels[few])


def without_labels(root, train):
    return Part(three_digits(root, train).images)


def test_it_has_its_own_number_of_classes(trained):
    about = trained(three_digits)
    shipped = classifier.load("mine")
    images = load_part("mine", "", train=False).images
    assert about["classes"] == 3 and shipped.knows_classes and about["test_accuracy"] > 0.9
    assert classifier.probabilities(shipped.network, images).shape == (len(images), 3)


def test_without_labels_it_tells_rotations(trained, monkeypatch):
    about = trained(without_labels)
    assert about["classes"] == 4 and about["test_accuracy"] > 0.6  # 0 looks alike upside down
    assert not classifier.load("mine").knows_classes
    monkeypatch.setattr("grader.metrics.damage.damaged", lambda data, images: (torch.zeros(len(images)), []))
    images = load_part("mine", "", train=True).images
    found = quality.assess(images[:100], "mine", images[100:])
    assert found.classes == [] and found.fid > 0


@pytest.mark.parametrize(
    ("classes", "says"),
    [([], "the images have no labels"), ([0.5, 0.5], "are for more classes than the 2")],
)
def test_classes_are_not_judged_where_no_samples_could_pass(classes, says):
    class Trained(TrainedSamples):
        quality = type("Quality", (), {"classes": classes})

    wanted = type("Wanted", (), {"missing_classes": 0, "commonest_class": 0.3})
    data = type("Data", (), {"name": "digits"})
    trained = type("Network", (), {"wanted": wanted, "settings": type("Settings", (), {"data": data})})
    with pytest.raises(NotJudged, match=says):
        Trained(trained).check_classes()


def test_networks_fit_the_images():
    assert widths_for("digits", (1, 8, 8)) == classifier.WIDTHS["digits"]  # as they are shipped
    assert widths_for("other", (1, 28, 28)) == (1, 16, 32, 64, 128)
    assert widths_for("other", (3, 64, 64)) == (3, 32, 64, 128, 128, 128)
    few, many = recipe_for("other", 500, 16), recipe_for("other", 100_000, 32)
    assert few.batch_size * few.epochs * 500 / few.batch_size >= 500 * 10 and few.batch_size == 25
    assert (many.batch_size, many.epochs, many.mirror) == (256, 10, False)


def test_all_rotations():
    image = torch.arange(4).view(1, 1, 2, 2)
    images, turns = in_all_rotations(image)
    assert turns.tolist() == [0, 1, 2, 3]
    assert images[2].flatten().tolist() == [3, 2, 1, 0]
