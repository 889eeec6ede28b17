"""Measures of trained networks: classifiers, FID and related metrics, paired losses, the reference's record."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from assignment.ddpm.config import config_files, load_config
from assignment.ddpm.data import load_images, load_part, load_test, to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.respacing import Respaced
from grader.checks import beats_reference, samples
from grader.checks.finding import CheckFailed
from grader.grading_config import load_grading
from grader.metrics import classifier, quality
from grader.metrics.draw import draw, to_bytes
from grader.metrics.record import RESULTS, load_record
from grader.metrics.train_classifier import RECIPES, augment
from grader.metrics.triples import EDGES, LOOKS, SHARES, draw_triples, losses, widths
from grader.recording.status import status
from tests.support.everything import EVERYTHING

T = 1000


@pytest.fixture(scope="module")
def digits() -> SimpleNamespace:
    """train, validation, test: uint8 (N, 1, 8, 8) each."""
    images = load_images("digits", "unused", limit=None, shape=(1, 8, 8))
    return SimpleNamespace(**vars(images), test=load_test("digits", "unused", shape=(1, 8, 8)))


# ---- classifiers


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


# ---- FID and related metrics


def test_real_images_are_near_noise_and_one_class_are_far(digits):
    good = quality.assess(digits.test[:256], "digits", digits.train)
    noise = quality.assess(torch.randint(0, 256, (256, 1, 8, 8), dtype=torch.uint8), "digits", digits.train)
    label = classifier.probabilities(classifier.load("digits").network, digits.train).argmax(1)
    ones = quality.assess(digits.train[label == 1][:128], "digits", digits.train)
    assert good.fid < 5 < 50 < min(noise.fid, ones.fid)
    assert good.precision > 0.5 and good.recall > 0.5 and noise.precision < 0.05
    assert good.kid < 0.1 < noise.kid
    assert min(good.classes) > 0.05 and max(ones.classes) == 1
    assert good.damaged < 0.05 and noise.damaged > 0.99 and noise.damage == "noise"
    assert good.copies < 0.15 and ones.copies == 1  # training images are copies of themselves


def test_fid_is_that_of_the_formula(digits):
    """The formula of Heusel et al. 2017, computed by scipy instead."""
    from scipy.linalg import sqrtm

    network = classifier.load("digits").network
    a, b = (network.features(images).double().numpy() for images in (digits.test, digits.train))
    root = sqrtm(cov(a) @ cov(b)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + (cov(a) + cov(b) - 2 * root).trace()
    assert quality.fidelity(digits.test, digits.train, "digits")["fid"] == pytest.approx(expected, rel=1e-3)


def cov(features):
    import numpy as np

    return np.cov(features, rowvar=False)


def test_inception_is_an_option(digits, tmp_path, monkeypatch):
    """With a file of weights, here random ones: the computation is real, the number means nothing."""
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    with monkeypatch.context() as patch, torch.device("meta"):  # drawing its own weights takes seconds
        patch.setattr(inception, "load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = inception.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    network.to_empty(device="cpu")
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            torch.nn.init.kaiming_normal_(value)
        else:
            value.fill_(float(name.endswith(("running_var", "bn.weight"))))
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    few = digits.train[:24]
    assert quality.inception_fid(digits.test[:24], few, str(tmp_path / "inception.pth")) > 0
    with pytest.raises(UserError, match=r"--inception nowhere\.pth: no Inception weights to be had"):
        quality.inception_fid(digits.test[:4], few, "nowhere.pth")


def test_to_bytes_rounds_and_undoes_to_float(digits):
    assert torch.equal(to_bytes(to_float(digits.test)), digits.test)


# ---- sampling in fewer steps


def test_a_respaced_schedule_has_the_same_alpha_bar_where_it_stops():
    diffusion = GaussianDiffusion(T)
    few = Respaced(diffusion, 50)
    assert len(few.timesteps) == 50 and few.timesteps[0] == 0 and few.timesteps[-1] == T - 1
    torch.testing.assert_close(few.alpha_bar, diffusion.alpha_bar[few.timesteps])
    every = Respaced(diffusion, T)
    torch.testing.assert_close(every.betas, diffusion.betas, rtol=1e-4, atol=1e-6)


def test_a_perfect_network_samples_its_gaussian_in_few_steps():
    """Images from N(0.4, 0.2²): the exact noise prediction is linear in x_t, so any number of steps must end there."""
    diffusion, mean, std = GaussianDiffusion(T), 0.4, 0.2

    def predict(x, t):
        assert set(t.tolist()) <= set(Respaced(diffusion, 50).timesteps.tolist())
        a = diffusion.alpha_bar[t].view(-1, 1, 1, 1)
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    drawn = draw(predict, diffusion, 500, (1, 4, 4), steps=50, seed=0)
    variance, few = torch.ones(()), Respaced(diffusion, 50)
    for beta, a, sigma2 in zip(few.betas.flip(0), few.alpha_bar.flip(0), few.posterior_variance.flip(0), strict=True):
        variance = ((1 - beta / (a * std**2 + 1 - a)) ** 2 * variance) / (1 - beta) + sigma2
    assert drawn.mean() == pytest.approx(mean, abs=0.01)
    assert drawn.std() == pytest.approx(variance.sqrt().item(), rel=0.04)  # a standard error is 0.8 %


# ---- triples and paired losses


def test_triples_are_always_the_same_and_looks_differ(digits):
    one, again, next_one = (draw_triples(digits.validation, T, look, part="validation") for look in (0, 0, 1))
    assert torch.equal(one.noise, again.noise) and torch.equal(one.t, again.t)
    assert one.fingerprint() == again.fingerprint() != next_one.fingerprint()
    assert [len(draw_triples(digits.validation, T, k, part="validation").t) for k in range(len(LOOKS))] == list(LOOKS)


def test_triples_cover_images_and_bins_evenly(digits):
    triples = draw_triples(digits.validation, T, 0, part="validation")
    counts = torch.bincount(triples.index)
    assert len(counts) == len(digits.validation) and counts.max() - counts.min() <= 1
    edges = [round(e * T) for e in EDGES]
    for b, share in enumerate(SHARES):
        t = triples.t[triples.bins == b]
        assert t.min() >= edges[b] and t.max() < edges[b + 1]
        assert len(t) / len(triples.t) == pytest.approx(share, abs=0.001)
    assert sum(SHARES) == pytest.approx(1) and widths().sum() == pytest.approx(1)


def test_the_stratified_mean_is_that_of_uniform_t(digits):
    """The mean of a loss that depends on t alone is known exactly."""
    triples = draw_triples(digits.validation, T, 0, part="validation")
    mean = beats_reference.stratified(1 / (1 + triples.t.double()), triples.bins, widths())
    assert mean.value == pytest.approx((1 / (1 + torch.arange(T).double())).mean().item(), rel=0.02)


def test_losses_are_mean_squared_errors_of_the_noise(digits):
    triples = draw_triples(digits.validation, T, 0, part="validation")
    found = losses(lambda x, t: torch.zeros_like(x), GaussianDiffusion(T), triples, batch_size=100)
    torch.testing.assert_close(found, triples.noise.double().square().flatten(1).mean(1))


def fake(relative: float, scatter: float, n: int = 4096, seed: int = 0):
    """Losses of a student and the reference, whose difference is known up to noise of known size."""
    generator = torch.Generator().manual_seed(seed)
    bins = torch.arange(n) % len(widths())
    reference = 0.1 * (1 + 0.5 * torch.rand(n, generator=generator, dtype=torch.float64))
    noise = scatter * torch.randn(n, generator=generator, dtype=torch.float64)
    return reference * (1 + relative + noise), reference, bins, widths(), torch.arange(n) % 150


def test_the_standard_error_is_that_of_many_repetitions():
    found = [beats_reference.compare(*fake(0.0, 0.1, seed=s)) for s in range(200)]
    relative = torch.tensor([f.relative for f in found])
    assert relative.std().item() == pytest.approx(found[0].error, rel=0.2)
    assert abs(relative.mean().item()) < 3 * found[0].error / 200**0.5


@pytest.mark.parametrize(
    ("relative", "decision"), [(-0.03, "wins"), (0.03, "loses"), (0.0, "loses"), (-0.001, "open"), (-0.003, "open")]
)
def test_clear_differences_are_decided_and_close_ones_are_left_open(relative, decision):
    scatter = 0.0 if decision == "loses" else 0.1
    assert beats_reference.decide(beats_reference.compare(*fake(relative, scatter)), looks=3) == decision


def test_the_reference_never_beats_itself():
    _, reference, *rest = fake(0.0, 0.0)
    found = beats_reference.compare(reference, reference, *rest)
    assert beats_reference.decide(found, 1) == "loses"
    rounding = 1 + 1e-6 * torch.randn(len(reference), generator=torch.Generator().manual_seed(0))
    assert beats_reference.decide(beats_reference.compare(reference * rounding.abs(), reference, *rest), 1) == "loses"


def test_equals_win_seldom():
    """With equal losses, over three looks, at most FALSE_WIN of the decisions are wins, here of 1000 (bound 2 %)."""
    wins = 0
    for s in range(1000):
        looks = [fake(-beats_reference.MARGIN, 0.1, n=300 * 2**k, seed=1000 * k + s) for k in range(3)]
        for k in range(3):
            seen = [torch.cat([look[i] for look in looks[: k + 1]]) for i in (0, 1, 2, 4)]
            decision = beats_reference.decide(beats_reference.compare(*seen[:3], widths(), seen[3]), 3)
            if decision != "open":
                break
        wins += decision == "wins"
    assert wins <= 20


def test_a_lead_on_validation_only_is_seen():
    ahead, level = beats_reference.compare(*fake(-0.2, 0.1)), beats_reference.compare(*fake(0.0, 0.1, seed=1))
    with pytest.raises(CheckFailed, match="test images"):
        beats_reference.check_generalises(ahead, level)
    beats_reference.check_generalises(level, level)
    beats_reference.check_generalises(
        beats_reference.compare(*fake(-0.03, 0.1)), beats_reference.compare(*fake(-0.025, 0.1, seed=1))
    )


def test_a_loser_is_told_where_and_how_far():
    found = beats_reference.compare(*fake(0.05, 0.02))
    along = [{"epoch": 1, "loss": 0.2}, {"epoch": 10, "loss": found.student + 1e-4}, {"epoch": 50, "loss": 0.1}]
    with pytest.raises(CheckFailed) as failure:
        beats_reference.check_beats(found, 3, [0, 10, 50, 100, 250, 500, 1000], along, "cpu: 3 of 50 epochs")
    assert "5.0% above" in failure.value.message and "provisional: cpu: 3 of 50 epochs" in failure.value.message
    assert "you lose most at t = " in failure.value.hint and "after about 10 epochs" in failure.value.hint


# ---- claims about samples: each can fail


@pytest.mark.parametrize(
    ("claim", "arguments"),
    [
        (samples.check_sound, (torch.zeros(8, 1, 4, 4),)),
        (samples.check_sound, (torch.full((8, 1, 4, 4), float("nan")),)),
        (samples.check_sound, (2 * torch.randn(8, 1, 4, 4).sign(),)),
        (samples.check_classes, ([0.5, 0.5, 0.0], 0.02, 0.6, 0)),
        (samples.check_classes, ([0.6, 0.2, 0.2], 0.02, 0.5, 0)),
        (samples.check_confidence, (0.5, 0.9, 0.8)),
        (samples.check_clean, (0.2, "blur", 0.01, 0.15)),
        (samples.check_fid, (100.0, 2.0, 18, "")),
        (samples.check_fid, (float("nan"), 2.0, 18, "")),
        (samples.check_new, (0.9, 0.04, 0.5)),
    ],
)
def test_a_claim_about_samples_can_fail(claim, arguments):
    with pytest.raises(CheckFailed):
        claim(*arguments)


# ---- the reference's record


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
