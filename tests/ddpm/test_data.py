"""The three data sets, their split and batches; missing or broken files are reported in one line."""

import gzip
import hashlib
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

from assignment.ddpm import data
from assignment.ddpm.data import (
    load_images,
    load_part,
    load_test,
    num_batches,
    place,
    prepare,
    shuffled_batches,
    to_float,
)
from assignment.ddpm.errors import UserError

CPU = torch.device("cpu")
SETS = {
    "digits": ((1, 8, 8), (1350, 147 + 3, 297)),
    "fashion_mnist": ((1, 28, 28), (54_000, 6_000, 10_000)),
    "cifar10": ((3, 32, 32), (45_000, 5_000, 10_000)),
}


@pytest.fixture(params=SETS)
def loaded(request):
    root = "unused" if request.param == "digits" else request.getfixturevalue("real_data")
    shape, sizes = SETS[request.param]
    images, test = (
        load_images(request.param, root, limit=None, shape=shape),
        load_test(request.param, root, shape=shape),
    )
    return request.param, root, images, test, shape, sizes


def test_shapes_range_and_split(loaded):
    name, root, images, test, shape, sizes = loaded
    for part, size in zip((images.train, images.validation, test), sizes, strict=True):
        assert part.dtype == torch.uint8 and tuple(part.shape) == (size, *shape)
        assert part.min() == 0 and part.max() == 255

    # the split is that of torch's random_split with seed 42, as in the original exercise
    every = load_part(name, root, train=True).images
    lengths = [sizes[0], sizes[1]]
    train, validation = torch.utils.data.random_split(every, lengths, torch.Generator().manual_seed(42))
    assert torch.equal(images.train, every[train.indices])
    assert torch.equal(images.validation, every[validation.indices])

    few = load_images(name, root, limit=90, shape=shape)
    assert torch.equal(few.train, images.train[:90]) and torch.equal(few.validation, images.validation[:10])


# SHA-256 of the images and of the labels of each part, as scikit-learn's copy makes them
DIGITS = {
    True: ("875a24c0790f1981762fb36d014bf564ebd54024c7c2913c6e4d238fb13418d7",
           "ee51eb962cadc90009c4b167cc3ea3124ea774af4a69b61498df4409fddc9e95"),
    False: ("8a9ceff59172438f800565084fa8fd52146c2632cec4a81eb324ed2873248550",
            "883075a37454d60a3459935e727400b0e88d73e56b89b2a442f90fe2b3885fda"),
}  # fmt: skip


@pytest.mark.parametrize("train", [True, False])
def test_the_digits_are_the_images_and_labels_that_they_have_always_been(train):
    part = load_part("digits", "unused", train=train)
    assert tuple(hashlib.sha256(values.numpy().tobytes()).hexdigest() for values in part) == DIGITS[train]


def test_the_digits_are_those_of_scikit_learn():
    its = pytest.importorskip("sklearn.datasets").load_digits()
    images, labels = (
        torch.cat(parts) for parts in zip(*(load_part("digits", "unused", train=t) for t in (True, False)), strict=True)
    )
    assert torch.equal(images[:, 0], (torch.from_numpy(its.images) * (255 / 16)).round().to(torch.uint8))
    assert torch.equal(labels, torch.from_numpy(its.target))


def test_a_training_gets_the_same_from_the_prepared_images_alone(loaded, tmp_path):
    """… which is all that is in its folder: it needs no test part, and can't get one."""
    name, root, images, _, shape, _ = loaded
    prepare(name, root, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"{name}-training.safetensors"]
    again = load_images(name, tmp_path, limit=None, shape=shape)
    assert torch.equal(again.train, images.train) and torch.equal(again.validation, images.validation)


def test_broken_images_are_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "digits-training.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"digits-training\.safetensors: not readable as the images that belong there"):
        load_part("digits", tmp_path, train=True)
    monkeypatch.setattr(data, "DIGITS", tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"nowhere/test\.safetensors: not readable"):
        load_part("digits", tmp_path, train=False)


def test_a_limit_beyond_the_set_is_all_of_it():
    assert len(load_images("digits", "unused", limit=10_000, shape=(1, 8, 8)).train) == 1350


def test_values_become_minus_one_to_one():
    values = to_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert values.tolist() == pytest.approx([-1, -0.6, 1])


def test_an_epoch_meets_every_image_once_in_an_order_of_its_seed():
    images = torch.arange(103, dtype=torch.uint8).view(-1, 1, 1, 1)

    def order(seed, first=0):
        return [b.flatten().tolist() for (b,) in shuffled_batches(images, 10, CPU, seed=seed, first=first)]

    batches = order(1)
    assert num_batches(images, 10) == len(batches) == 10
    seen = [value for batch in batches for value in batch]
    assert len(set(seen)) == len(seen) == 100
    assert order(1) == batches != order(2)
    assert order(1, first=7) == batches[7:]


def test_a_set_smaller_than_a_batch_is_one_batch():
    batches = list(shuffled_batches(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), 64, CPU, seed=0))
    assert [len(b) for (b,) in batches] == [5]


def test_images_that_do_not_fit_stay_where_they_are(monkeypatch):
    images = torch.zeros(10, dtype=torch.uint8)
    elsewhere = torch.device("meta")
    monkeypatch.setattr(data, "memory_available", lambda device: 41)
    assert place(images, elsewhere).device == elsewhere
    monkeypatch.setattr(data, "memory_available", lambda device: 40)
    assert place(images, elsewhere).device == CPU


def test_an_unknown_set_and_a_wrong_shape_are_answered_with_what_there_is():
    with pytest.raises(UserError, match=r"data.name=mnist: expected one of digits, fashion_mnist, cifar10"):
        load_images("mnist", "unused", limit=None, shape=(1, 28, 28))
    with pytest.raises(UserError, match=r"1×8×8; set model.image_channels=1 model.image_size=8"):
        load_images("digits", "unused", limit=None, shape=(3, 32, 32))


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def refusal(name: str, root: Path) -> str:
    with pytest.raises(UserError) as error:
        load_images(name, root, limit=None, shape=SETS[name][0])
    assert "\n" not in str(error.value) and "configs/digits.yaml" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
    ],
)
def test_missing_files_without_a_network(name, first, tmp_path, offline):
    assert f"{tmp_path / first}: not there, and could not be downloaded" in refusal(name, tmp_path)


def test_a_truncated_download_without_a_network(tmp_path, real_data, offline):
    shutil.copytree(real_data / "FashionMNIST", tmp_path / "FashionMNIST")
    raw = tmp_path / "FashionMNIST" / "raw"
    for unpacked in raw.glob("*ubyte"):
        unpacked.unlink()
    broken = raw / "t10k-images-idx3-ubyte.gz"
    broken.write_bytes(broken.read_bytes()[:1000])
    message = refusal("fashion_mnist", tmp_path)
    assert f"{broken}: broken" in message and f"delete {broken.name}" in message


def test_an_unpacked_file_cut_short(tmp_path, real_data):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (real_data / "FashionMNIST" / "raw").glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    broken = raw / "train-images-idx3-ubyte"
    broken.write_bytes(broken.read_bytes()[:12345])
    assert f"{broken}: 12345 bytes instead of 47040016; delete {broken.name}" in refusal("fashion_mnist", tmp_path)


def test_a_corrupt_cifar_batch(tmp_path, real_data, offline):
    folder = tmp_path / "cifar-10-batches-py"
    shutil.copytree(real_data / "cifar-10-batches-py", folder)
    broken = folder / "data_batch_3"
    content = bytearray(broken.read_bytes())
    content[5000] ^= 1
    broken.write_bytes(content)
    assert f"{broken}: broken" in refusal("cifar10", tmp_path)
