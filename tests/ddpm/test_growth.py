"""What can be watched while a training runs: samples and curve as they grow, and TensorBoard's log."""

import sys
import types

import pytest
import torch
from PIL import Image
from torch import nn

from assignment.ddpm.config import load_config
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.growth import GROWTH, Growth
from assignment.ddpm.runner import Runner
from reference.sampler import DDPMSampler
from tests.support.networks import DiffusionModel
from tests.support.running import read_log, run, same_weights

SHAPE = (1, 8, 8)


def growth(folder, *, every=None, sampler=DDPMSampler) -> Growth:
    return Growth(sampler, GaussianDiffusion(20), SHAPE, folder, every=every, seed=0)


@pytest.fixture
def network() -> Runner:
    torch.manual_seed(0)
    return Runner(DiffusionModel(load_config("configs/digits.yaml").model))


def rows_after(growing: Growth, epochs: int, network: Runner, seconds: float = 1e6) -> list[int]:
    for epoch in range(1, epochs + 1):
        assert growing.after_epoch(epoch, network, seconds, last=epoch == epochs) == ""
    return list(growing.rows)


def test_rows_come_ever_more_seldom(network, tmp_path):
    assert rows_after(growth(tmp_path), 30, network) == [1, 2, 3, 5, 8, 12, 18, 27, 30]
    (tmp_path / "third").mkdir()
    assert rows_after(growth(tmp_path / "third", every=3), 8, network) == [3, 6, 8]
    (tmp_path / "none").mkdir()
    assert rows_after(growth(tmp_path / "none", every=0), 3, network) == []


def test_drawing_takes_a_tenth_of_the_time_at_most(network, tmp_path):
    growing = growth(tmp_path)
    assert rows_after(growing, 4, network, seconds=1e-3) == [1]  # the first one always


def test_the_grid_grows_by_a_row_and_the_noise_is_the_same(network, tmp_path):
    growing, sizes = growth(tmp_path), []
    for epoch in (1, 2, 3):
        growing.after_epoch(epoch, network, 1e6, last=False)
        with Image.open(tmp_path / GROWTH) as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[2][0] and sizes[2][1] - sizes[1][1] == sizes[1][1] - sizes[0][1] > 0
    assert (tmp_path / "samples-epoch-0001.png").read_bytes() == (tmp_path / "samples-epoch-0003.png").read_bytes()


def test_rows_of_an_interrupted_training_stay_and_others_are_left_out(network, tmp_path):
    rows_after(growth(tmp_path), 2, network)
    with Image.open(tmp_path / GROWTH) as picture:
        before = picture.size
    Image.new("RGB", (5, 5)).save(tmp_path / "samples-epoch-0003.png")  # of another version
    growth(tmp_path).after_epoch(5, network, 1e6, last=False)
    with Image.open(tmp_path / GROWTH) as picture:
        assert picture.width == before[0] and picture.height > before[1]


class Broken(DDPMSampler):
    def sample(self, model, shape):
        raise ValueError("of 1000 steps only\nand no others")


class Explodes(nn.Module):
    def forward(self, x, t):
        return x * float("nan")


def test_a_row_that_can_not_be_drawn_is_left_out_and_said(network, tmp_path):
    said = growth(tmp_path, sampler=Broken).after_epoch(1, network, 1e6, last=False)
    assert said == "no samples after epoch 1: of 1000 steps only and no others"
    assert "not finite" in growth(tmp_path).after_epoch(1, Runner(Explodes()), 1e6, last=False)
    assert not list(tmp_path.iterdir())


def test_watching_changes_nothing_of_a_training(tmp_path):
    quick = ("training.epochs=2", "sampling.num_images=2")
    plain, watched = run(tmp_path / "plain", *quick), run(tmp_path / "watched", *quick, "sampling.every_epochs=1")
    assert read_log(plain) == read_log(watched) and same_weights(plain, watched)
    assert (watched / GROWTH).exists() and not (plain / GROWTH).exists() and not (plain / "tensorboard").exists()


# ---- TensorBoard


class Writer:
    """In place of torch's own."""

    def __init__(self, folder, **options):
        self.folder, self.options, self.points, self.pictures, self.closed = folder, options, [], {}, False
        written.append(self)

    def add_scalar(self, name, value, step):
        self.points.append((name, step, value))

    def add_image(self, name, pixels, step, dataformats):
        assert dataformats == "HWC" and pixels.dtype == torch.uint8
        self.pictures[name] = tuple(pixels.shape)

    def close(self):
        self.closed = True


written: list[Writer] = []


def test_losses_and_pictures_are_logged_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    written.clear()
    folder = run(tmp_path, "training.tensorboard=true", "training.epochs=2", "sampling.every_epochs=1")
    (writer,) = written
    assert writer.folder == folder / "tensorboard" and writer.options["purge_step"] == 0 and writer.closed
    points = {(name, step) for name, step, _ in writer.points}
    assert points >= {(f"loss/{curve}", step) for curve in ("training", "validation") for step in (4, 8)}
    with Image.open(folder / GROWTH) as picture:
        assert writer.pictures["growth"] == (picture.height, picture.width, 3)


def test_without_the_package_it_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="tensorboard is not installed; expected it from `uv sync --extra") as stop:
        run(tmp_path / "out", "training.tensorboard=true")
    assert "\n" not in str(stop.value) and not (tmp_path / "out").exists()
