"""Pictures contain the right pixels, enlarged without blur; files are replaced completely or not at all."""

import numpy as np
import pytest
import torch
from PIL import Image

from assignment.ddpm.figures import GAP, TILE, save_grid, save_loss_curve
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


def test_a_curve_is_drawn_from_a_single_row(tmp_path):
    save_loss_curve([{"epoch": 0.5, "train_loss": 0.5, "val_loss": 0.4}], tmp_path / "curve.png", title="x")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (840, 480)


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
