"""Labels: they go with their images, some are dropped, and a training without them is what it was."""

import pytest
import torch
from PIL import Image
from torch import nn

from assignment.ddpm import data, labels
from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images, load_part, prepare, shuffled_batches
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.endings import explain
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.first_calls import check_network, check_sampler
from assignment.ddpm.guidance import Guidance
from assignment.ddpm.milestones import beside, load_milestones
from assignment.ddpm.race import Race
from assignment.ddpm.runner import PLAIN, Runner
from assignment.ddpm.seeds import derive_seed
from assignment.ddpm.symptoms import examine
from assignment.ddpm.trainer import Trainer
from assignment.ddpm.validation import freeze_triples, validation_loss
from grader.metrics.record import load_record
from reference.sampler import DDPMSampler, guided_eps
from tests.conftest import ROOT
from tests.support.networks import DiffusionModel, Dropout, Labelled
from tests.support.running import read_log, run, same_weights

CPU, SHAPE, K = torch.device("cpu"), (1, 8, 8), 10
CONFIG = load_config("configs/digits_conditional.yaml").model
CONDITIONAL = ("model.num_classes=10", "sampling.num_images=12")


@pytest.fixture(scope="module")
def digits() -> data.Images:
    return load_images("digits", "unused", limit=None, shape=SHAPE, num_classes=K)


# ---- the training without labels, bit by bit


def test_a_training_without_labels_draws_what_it_always_drew():
    """Written out by hand: order, t, noise and dropout of every step by their own seeds, and nothing else is drawn."""
    network = Dropout(load_config("configs/digits.yaml").model)
    by_hand, diffusion = Dropout(load_config("configs/digits.yaml").model), GaussianDiffusion(50)
    by_hand.load_state_dict(network.state_dict())
    images = load_part("digits", "unused", train=True).images[:64]
    trainer = Trainer(Runner(network), diffusion, learning_rate=1e-3, ema_decay=0.9, fused=False)
    for batch in shuffled_batches(images, 16, CPU, seed=7):
        trainer.step(*batch, seed=3)

    adam = torch.optim.Adam(by_hand.parameters(), lr=1e-3, fused=False)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(7))
    for step in range(4):
        x_0 = images[order[16 * step : 16 * (step + 1)]].float() / 127.5 - 1
        torch.manual_seed(derive_seed("step", 3, step))
        t, noise = torch.randint(0, 50, (16,)), torch.randn_like(x_0)
        adam.zero_grad()
        nn.functional.mse_loss(by_hand(diffusion.q_sample(x_0, t, noise), t), noise).backward()
        adam.step()
    for name, value in by_hand.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


# ---- which labels


def test_labels_go_with_their_images(digits):
    images, all_labels = load_part("digits", "unused", train=True)
    of = {image.numpy().tobytes(): int(label) for image, label in zip(images, all_labels, strict=True)}
    for part, found in ((digits.train, digits.train_labels), (digits.validation, digits.validation_labels)):
        assert found.dtype == torch.int64
        assert [of[image.numpy().tobytes()] for image in part] == found.tolist()
    for x_0, y in shuffled_batches(digits.train, 64, CPU, labels=digits.train_labels, seed=1, first=19):
        back = ((x_0 + 1) * 127.5).round().to(torch.uint8)
        assert [of[image.numpy().tobytes()] for image in back] == y.tolist()
    few = load_images("digits", "unused", limit=90, shape=SHAPE, num_classes=K)
    assert torch.equal(few.train_labels, digits.train_labels[:90]) and len(few.validation_labels) == 10


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_the_other_data_sets_have_ten_classes_too(name, real_data):
    shape = load_config(f"configs/{name}.yaml").model.image_shape
    found = load_images(name, real_data, limit=900, shape=shape, num_classes=K)
    assert sorted(found.train_labels.unique().tolist()) == list(range(K))


def test_another_number_of_classes_is_one_clear_line(monkeypatch):
    with pytest.raises(UserError, match=r"model.num_classes=9: the images of data.name=digits are of 10 classes"):
        load_images("digits", "unused", limit=None, shape=SHAPE, num_classes=9)
    monkeypatch.setitem(data.DATASETS, "bare", lambda root, train: data.Part(torch.zeros(9, *SHAPE, dtype=torch.uint8)))
    with pytest.raises(UserError, match=r"data.name=bare have no labels; set it to null"):
        load_images("bare", "unused", limit=None, shape=SHAPE, num_classes=K)


def test_a_training_in_the_sandbox_gets_labels_only_where_it_needs_them(tmp_path):
    prepare("digits", "unused", tmp_path)
    assert load_part("digits", tmp_path, train=True).labels is None
    prepare("digits", "unused", tmp_path, num_classes=K)
    assert torch.equal(load_part("digits", tmp_path, train=True).labels, load_part("digits", "", train=True).labels)


# ---- dropping


def test_a_share_of_the_labels_is_dropped():
    y = torch.arange(10).repeat(2000)
    dropped = labels.drop_labels(y, K, 0.1, seed=0, step=5)
    gone = dropped == K
    assert torch.equal(dropped[~gone], y[~gone]) and y.max() == 9
    assert abs(gone.double().mean().item() - 0.1) < 5 * (0.09 / len(y)) ** 0.5  # 5 standard errors; the seed is fixed
    assert torch.equal(dropped, labels.drop_labels(y, K, 0.1, seed=0, step=5))
    assert not torch.equal(dropped, labels.drop_labels(y, K, 0.1, seed=0, step=6))
    assert torch.equal(labels.drop_labels(y, K, 0.0, seed=0, step=5), y)


class Recorder(Labelled):
    def __init__(self, config):
        super().__init__(config)
        self.asked = []

    def forward(self, x, t, *y):
        self.asked.append((x.detach().clone(), t, *y))
        return super().forward(x, t, *y)


def test_t_and_noise_are_those_of_a_training_without_labels():
    x_0, y = torch.rand(32, *SHAPE), torch.arange(32) % K
    with_y, without = Recorder(CONFIG), Recorder(CONFIG)
    for network, batch, classes in ((with_y, (x_0, y), K), (without, (x_0,), None)):
        trainer = Trainer(Runner(network), GaussianDiffusion(50), learning_rate=1e-3, ema_decay=0, fused=False,
                          num_classes=classes, label_dropout=0.5)  # fmt: skip
        trainer.step(*batch, seed=0)
    (x_t, t, asked), (same_x_t, same_t) = with_y.asked[0], without.asked[0]
    assert torch.equal(x_t, same_x_t) and torch.equal(t, same_t)
    assert {K} < set(asked.tolist()) <= set(range(K + 1))


def test_validation_is_with_the_true_labels(digits):
    network = Recorder(CONFIG)
    triples = freeze_triples(digits.validation, 1000, CPU, labels=digits.validation_labels)
    validation_loss(network, GaussianDiffusion(), triples, 64)
    assert torch.equal(torch.cat([y for _, _, y in network.asked]), digits.validation_labels)


# ---- whole runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"), *CONDITIONAL, "sampling.every_epochs=1", network=Labelled)


def test_a_run_draws_a_row_for_each_class(finished):
    with Image.open(finished.parent / "samples.png") as picture, Image.open(finished / "growth.png") as growth:
        assert picture.height > 4 * picture.width  # 2 of each of 10 classes
        assert growth.width > 9 * 64  # one of each


def test_resuming_is_exact(finished, tmp_path):
    run(tmp_path, *CONDITIONAL, "training.epochs=1", network=Labelled)
    parts = run(tmp_path, *CONDITIONAL, "training.resume=true", network=Labelled)
    assert read_log(parts) == read_log(finished) and same_weights(parts, finished)


@pytest.mark.parametrize(
    ("changed", "network"), [("model.num_classes=null", DiffusionModel), ("training.label_dropout=0.2", Labelled)]
)
def test_a_checkpoint_with_other_labels_is_refused(changed, network, finished):
    with pytest.raises(UserError, match="is of another run"):
        run(finished.parent, *CONDITIONAL, "training.resume=true", changed, network=network)


def test_another_memory_layout_trains_the_same_network(finished, tmp_path):
    switched = run(tmp_path, *CONDITIONAL, "training.epochs=1", "runtime.channels_last=true", network=Labelled)
    losses = [float(read_log(run_dir)[0]["val_loss"]) for run_dir in (finished, switched)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_settings_are_raced_with_labels():
    network = Recorder(CONFIG)
    race = Race(network, PLAIN, (4, *SHAPE), CPU, num_classes=K)
    race.fit(PLAIN)
    assert all(len(asked) == 3 for asked in race.runner(PLAIN).model.asked)


# ---- what is said to whoever made a mistake


class NeedsY(Labelled):
    def forward(self, x, t, y):
        return super().forward(x, t, y)


class OneTooFew(Labelled):
    def __init__(self, config):
        super().__init__(config)
        self.label = nn.Embedding(config.num_classes, 32)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (DiffusionModel, r"has forward\(x: .*, t: .*\).*; expected forward\(x, t, y=None\), with labels y \(B,\) in"),
        (NeedsY, r"has forward\(x, t, y\); expected forward\(x, t, y=None\)"),
        (OneTooFew, r"fails for y = 10, no class; expected 11 embeddings, one more than classes"),
    ],
)
def test_a_network_that_does_not_take_labels_is_told_so_before_the_training(network, says):
    with pytest.raises(RunError, match=says) as error:
        check_network(network(CONFIG), SHAPE, GaussianDiffusion(50), K)
    assert "\n" not in str(error.value)


def test_guidance_that_returns_something_else_is_one_line():
    wrong = Guidance(lambda model, x, t, y, w, K: model(x, t, y)[:1], 2.0, K)
    with pytest.raises(RunError, match=r"guided_eps must return a tensor of x_t's shape \(2, 1, 8, 8\), got \(1, 1, 8"):
        check_sampler(DDPMSampler(GaussianDiffusion(5), CPU), SHAPE, CPU, wrong)


def test_a_sampler_that_divides_the_batch_is_told_that_labels_go_with_images():
    class ImageByImage(DDPMSampler):
        def p_sample(self, model, x_t, t):
            return torch.cat([super(ImageByImage, self).p_sample(model, x_t[i : i + 1], t[i : i + 1]) for i in (0, 1)])

    with pytest.raises(RunError, match="called the network with 1 images of a batch of 2; expected the whole batch"):
        check_sampler(ImageByImage(GaussianDiffusion(5), CPU), SHAPE, CPU, Guidance(guided_eps, 2.0, K))


@pytest.mark.parametrize("network", [Labelled, "ignores y"])
def test_a_network_that_ignores_the_label_is_told_at_the_end(network, digits):
    class Ignores(Labelled):
        def forward(self, x, t, y=None):
            return super().forward(x, t)

    model = (Ignores if network == "ignores y" else network)(CONFIG)
    triples = freeze_triples(digits.validation[:65], 1000, CPU, labels=digits.validation_labels[:65])
    found = examine(Runner(model), GaussianDiffusion(), triples, 64)
    assert (found.by_label == 0) == (network == "ignores y")
    said = explain([(1, 0.1, 0.1)], 200, found.__class__(**(vars(found) | {"loss": 0.1})), None, "make test-level1")
    assert any("same answer for every class" in line for line in said) == (network == "ignores y")


def test_losses_with_and_without_labels_are_not_compared():
    with_labels = load_config("configs/digits.yaml", ["model.num_classes=10"])
    assert load_milestones("digits", with_labels, ROOT) is None


def test_milestones_are_of_the_losses_with_labels():
    """They lead to the loss that the reference's own training logged, which is with labels."""
    found = load_milestones("digits_conditional", load_config("configs/digits_conditional.yaml"), ROOT)
    record = load_record("digits_conditional").chosen
    ratio = record["logged_validation_loss"] / record["with_labels"]["loss"]
    assert found.final == (record["kept_epoch"], record["logged_validation_loss"])
    first = record["milestones"][0]
    assert found.first == (1, pytest.approx(ratio * first["with_labels"]["loss"]))
    ahead = beside([(60, 0.05, 0.05)], found, 1000, all_images=True)
    assert "lower than where the reference" in ahead and "level2" not in ahead  # which compares other losses
