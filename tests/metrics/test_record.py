"""What is recorded of the reference is what is configured, and what its weights say today."""

from pathlib import Path

import pytest
import torch

from assignment.ddpm.config import config_files, load_config
from assignment.ddpm.data import load_images, load_test
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.checks import beats_reference
from grader.grading_config import load_grading
from grader.metrics import classifier
from grader.metrics.record import RESULTS, load_record
from grader.metrics.triples import LOOKS, draw_triples, losses, widths
from grader.recording.status import status

T = 1000


UNRECORDED = {"fashion_mnist_conditional"}  # its training takes a GPU: levels 1 to 3 are not graded on it


@pytest.mark.parametrize("config", config_files())
def test_what_is_recorded_is_what_is_configured(config):
    """Every shipped configuration has a record, with the classifier, samples and triples in use now."""
    name, settings = Path(config).stem, load_config(config)
    record, wanted = load_record(name), load_grading().samples[settings.data.name]
    if name in UNRECORDED:
        assert record is None and f"not recorded: make reference CONFIG={config}" in status()
        return
    assert record is not None, f"make reference CONFIG={config}"
    figures = record.figures
    assert figures["classifier"] == classifier.load(settings.data.name).name
    assert (
        set(record.losses)
        == {*(f"validation.{k}" for k in range(record.looks)), "test.0"}
        == set(figures["fingerprints"])
    )
    for kind, drawn in figures["samples"].items():
        setting = wanted.setting(kind)
        assert (drawn["images"], drawn["steps"]) == (setting.images, setting.steps)
    assert record.looks == len(LOOKS) or figures["provisional"]
    done = all(seed["epochs"] >= settings.training.epochs for seed in figures["seeds"])
    assert bool(figures["provisional"]) == (not done), "a training that was cut short is provisional"
    assert bool(record.caveat) == bool(figures["provisional"])
    assert name in status() and (not figures["provisional"] or figures["provisional"] in status())


def test_the_digits_have_three_seeds_and_shipped_weights():
    figures = load_record("digits").figures
    assert len(figures["seeds"]) >= 3 and not figures["provisional"]
    assert (RESULTS.parent / "weights" / "digits.safetensors").exists()


@pytest.mark.parametrize("name", ["digits", "digits_conditional"])
def test_the_recorded_losses_are_those_of_the_shipped_weights(name, digits):
    import safetensors.torch

    from reference.model import DiffusionModel

    config, record = load_config(f"configs/{name}.yaml"), load_record(name)
    model = DiffusionModel(config.model).eval()
    model.load_state_dict(safetensors.torch.load_file(RESULTS.parent / "weights" / f"{name}.safetensors"))
    triples = draw_triples(digits.validation, T, 0, part="validation")
    with torch.no_grad():
        found = losses(model, GaussianDiffusion(T), triples, batch_size=512)
    torch.testing.assert_close(found, record.look("validation", 0, triples), rtol=1e-3, atol=1e-5)
    if config.model.num_classes:  # and how much it helps to be told the class
        labels = load_images("digits", "unused", limit=None, shape=(1, 8, 8), num_classes=10).validation_labels
        with torch.no_grad():
            told = losses(model, GaussianDiffusion(T), triples, batch_size=512, labels=labels[triples.index])
        recorded = record.chosen["with_labels"]["loss"]
        assert beats_reference.stratified(told, triples.bins, widths()).value == pytest.approx(recorded, rel=1e-3)
        assert recorded < 0.9 * record.chosen["loss"]


@pytest.mark.parametrize("name", ["digits", "digits_conditional", "fashion_mnist", "cifar10"])
def test_every_look_is_recorded_at_the_triples_of_today(name, request):
    """A look was once recorded with another number of triples, and would have been rejected when needed."""
    settings, record = load_config(f"configs/{name}.yaml"), load_record(name)
    root = "unused" if name.startswith("digits") else request.getfixturevalue("real_data")
    m = settings.model
    images = {
        "validation": load_images(settings.data.name, root, limit=None, shape=m.image_shape).validation,
        "test": load_test(settings.data.name, root, shape=m.image_shape),
    }
    for recorded in record.losses:
        part, look = recorded.split(".")
        triples = draw_triples(images[part], m.num_timesteps, int(look), part=part)
        assert record.look(part, int(look), triples) is not None and len(record.losses[recorded]) == len(triples.t)


def test_a_record_of_other_triples_is_not_used(digits):
    record = load_record("digits")
    other = draw_triples(digits.validation, T, 0, part="test")
    assert record.look("validation", 0, other) is None
