"""Pictures contain the right pixels, enlarged without blur; files are replaced completely or not at all."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from assignment.ddpm.figures import DPI, GAP, SIZE, TILE, label_log, save_grid, save_loss_curve
from assignment.ddpm.files import replacing


def test_a_grid_shows_every_pixel_as_a_sharp_square(tmp_path):
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    save_grid(images, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as file:
        picture = np.asarray(file)
    step = TILE + GAP
    assert picture.shape == (2 * step + GAP, 3 * step + GAP, 3)  # 5 images: 2 rows of 3, the last cell white
    for i, image in enumerate(images):
        y, x = GAP + i // 3 * step, GAP + i % 3 * step
        tile = picture[y : y + TILE, x : x + TILE, 0].reshape(8, 8, 8, 8)
        expected = ((image[0] + 1) * 127.5).round().numpy().astype(np.uint8)
        assert (tile == expected[:, None, :, None]).all()
    assert (picture[step + GAP :, 2 * step + GAP :] == 255).all()


def test_colour_and_out_of_range_values(tmp_path):
    image = torch.tensor([-2.0, 0.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    save_grid(image, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.getpixel((GAP + 1, GAP + 1)) == (0, 128, 255)


def test_words_stand_around_a_grid_that_stays_as_it_is(tmp_path):
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    save_grid(images, tmp_path / "plain.png", columns=3)
    save_grid(images, tmp_path / "words.png", columns=3, above=[(0, "t = 0"), (1.5, "yours")], beside=["epoch 1", "2"])
    with Image.open(tmp_path / "plain.png") as plain, Image.open(tmp_path / "words.png") as words:
        left, top = words.width - plain.width, words.height - plain.height
        assert left > 40 and top > 20
        assert (np.asarray(words.crop((left, top, words.width, words.height))) == np.asarray(plain)).all()
        heading, rows = words.crop((left, 0, words.width, top)), words.crop((0, top, left, words.height))
        assert np.asarray(heading).min() < 100 and np.asarray(rows).min() < 100  # something is written


def test_a_curve_is_drawn_from_a_single_row(tmp_path):
    save_loss_curve([(0.5, 0.5, 0.4)], tmp_path / "curve.png", title="x", reference=[(0.25, 0.45), (1, 0.3)])
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (840, 512)


def test_a_curve_is_drawn_before_the_first_epoch_is_over(tmp_path):
    with Image.open(save_loss_curve([], tmp_path / "curve.png", under_way=(0.2, 0.7))) as picture:
        assert picture.size == (840, 512)


@pytest.mark.parametrize(("low", "high"), [(0.0355, 0.0363), (0.075, 0.4), (0.07, 1.0), (0.01, 5.0), (1e-4, 900.0)])
def test_ticks_of_a_loss_are_few_and_plain(low, high):
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot(yscale="log")
    axes.plot([1, 2], [low, high])
    label_log(axes.yaxis)
    figure.draw_without_rendering()
    bottom, top = axes.get_ylim()
    shown = [label.get_text() for label in axes.get_yticklabels() if bottom <= label.get_position()[1] <= top]
    assert 3 <= len(shown) <= 9 and not [words for words in shown if "e" in words and low > 1e-4], shown
    assert len(set(shown)) == len(shown)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("killed while writing")
    assert file.read_text() == "old"
    with replacing(file) as temporary:
        temporary.write_text("new")
    assert file.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["weights.bin"]
