"""Data sets as uint8 tensors in memory, split once, turned into shuffled batches in [-1, 1] on the device.

A new data set is one function here and one YAML file in configs/: give the function the set's name, mark it
`@dataset`, and return its training or its test part, whichever is asked for.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from torch import Tensor

from assignment.ddpm.device import memory_available
from assignment.ddpm.errors import UserError
from assignment.ddpm.labels import check_labels

DIGITS = Path(__file__).parents[1] / "digits"
SPLIT_SEED = 42  # not training.seed: every run, and the grader, has to mean the same images by "validation"


class Part(NamedTuple):
    """The training or the test part of a data set."""

    images: Tensor  # (N, C, H, W) uint8
    labels: Tensor | None = None  # (N,) integers from 0; for model.num_classes, and for the grader's classifiers


Load = Callable[[Path, bool], Part]  # root, train → the training part, or the test part
DATASETS: dict[str, Load] = {}


def dataset(load: Load) -> Load:
    """Make a loader available as `data.name`, under the function's own name."""
    DATASETS[load.__name__] = load
    return load


@dataset
def digits(root: Path, train: bool) -> Part:
    """8×8 handwritten digits (UCI, 1,797 images), in assignment/digits/; the last 297 are the test set."""
    found = _read(DIGITS / ("train.safetensors" if train else "test.safetensors"))
    return Part(found["images"], found["labels"])  # (N, 1, 8, 8)


@dataset
def fashion_mnist(root: Path, train: bool) -> Part:
    """28×28 grey-scale clothes (Xiao et al. 2017): 60,000 and 10,000 images."""
    # imported here, as in the next loader: it takes seconds
    from torchvision.datasets import FashionMNIST

    # torchvision checks the packed files by md5, but trusts an unpacked one that it finds: check its length
    sizes = {f"{s}-images-idx3-ubyte": 16 + n * 28 * 28 for s, n in (("train", 60_000), ("t10k", 10_000))}
    sizes |= {f"{s}-labels-idx1-ubyte": 8 + n for s, n in (("train", 60_000), ("t10k", 10_000))}
    for name, size in sizes.items():
        file = root / "FashionMNIST" / "raw" / name
        if file.exists() and file.stat().st_size != size:
            raise UserError(f"{file}: {file.stat().st_size} bytes instead of {size}; {_remedy(file)}")

    found = _torchvision(FashionMNIST, root, train=train)
    return Part(found.data[:, None], found.targets)  # (N, 1, 28, 28)


@dataset
def cifar10(root: Path, train: bool) -> Part:
    """32×32 colour photographs (Krizhevsky 2009): 50,000 and 10,000 images."""
    from torchvision.datasets import CIFAR10

    found = _torchvision(CIFAR10, root, train=train)
    # (N, 32, 32, 3) → (N, 3, 32, 32). permute only relabels the axes; contiguous moves the bytes, once, so that no
    # batch has to.
    return Part(torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(found.targets))


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors in a file of ours."""
    import safetensors.torch

    try:
        return safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{file}: not readable as the images that belong there: {error}") from error


def _torchvision(kind: Any, root: Path, *, train: bool) -> Any:
    """torchvision's data set, downloaded with progress if the files are missing."""
    try:
        with warnings.catch_warnings():  # numpy's, about how torchvision unpickles CIFAR-10
            warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed")
            return kind(root, train=train, download=True)
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, AssertionError, KeyError) as error:  # or URLError
        raise UserError(f"{_unusable_file(kind, root)}: {shorten(str(error), 100, placeholder=' …')}") from error


def _unusable_file(kind: Any, root: Path) -> str:
    """Name the first file that is missing or broken, and the way out."""
    from torchvision.datasets.utils import check_integrity

    # torchvision only says that something is wrong; its checksums show which file
    if hasattr(kind, "base_folder"):  # CIFAR10
        files = [(root / kind.base_folder / name, md5) for name, md5 in kind.train_list + kind.test_list]
    else:
        files = [(root / kind.__name__ / "raw" / name, md5) for name, md5 in kind.resources]
    bad = next((file for file, md5 in files if not check_integrity(str(file), md5)), root)
    what = "broken" if bad.is_file() else "not there"
    return f"{bad}: {what}, and could not be downloaded; {_remedy(bad)}"


def _remedy(file: Path) -> str:
    first = f"delete {file.name} and " if file.is_file() else ""
    return f"{first}run again with a network, or use configs/digits.yaml, which needs none"


@dataclass(frozen=True)
class Images:
    """What a training may see of a data set: uint8 (N, C, H, W) each. The test part is for grading: `load_test`."""

    train: Tensor  # (N, C, H, W)
    validation: Tensor  # chooses the weights that are kept, so it is no honest measure of them
    train_labels: Tensor | None = None  # (N,) int64; None where the network asks for none
    validation_labels: Tensor | None = None

    def __str__(self) -> str:
        _, channels, height, width = self.train.shape
        sizes = f"{len(self.train):,} train, {len(self.validation):,} validation"
        return f"{sizes} images of {channels}×{height}×{width}, in memory on {self.train.device}"


def prepared(name: str, root: str | Path) -> Path:
    """The file that stands for a data set's training part, if it is there: for a training that may see nothing else."""
    return Path(root) / f"{name}-training.safetensors"


def load_part(name: str, root: str | Path, *, train: bool) -> Part:
    """The whole training or test part of a data set.

    Args:
        name: a key of DATASETS
        root: folder of the files
    Raises:
        UserError: unknown name; files missing, broken or not to be downloaded
    """
    if name not in DATASETS:
        raise UserError(f"data.name={name}: expected one of {', '.join(DATASETS)}")
    if train and (file := prepared(name, root)).exists():
        found = _read(file)
        return Part(found["images"], found.get("labels"))
    return DATASETS[name](Path(root), train)


def prepare(name: str, root: str | Path, folder: Path, *, num_classes: int | None = None) -> None:
    """Write the training images to where `load_part` finds them, given that `folder`; for classes, with labels."""
    import safetensors.torch

    part = load_part(name, root, train=True)
    found = {"images": part.images.contiguous()}
    if num_classes is not None:
        found["labels"] = check_labels(name, part.labels, num_classes)
    try:
        safetensors.torch.save_file(found, prepared(name, folder))
    except safetensors.SafetensorError as error:  # where the disk is full
        raise OSError(str(error)) from error


def load_images(
    name: str, root: str | Path, *, limit: int | None, shape: tuple[int, int, int], num_classes: int | None = None
) -> Images:
    """Load a data set's training part, and split it 90/10 into training and validation, seeded.

    Args:
        limit: keep only the first `limit` training images, and as many validation images in proportion
        shape: (C, H, W) that the network is configured for
        num_classes: of the network; None: no labels
    Raises:
        UserError: as `load_part`; images of another shape; no labels, or of another number of classes
    """
    part = load_part(name, root, train=True)
    images = _checked(name, part.images, shape)
    # Split first, then limited: an image never changes sides, whatever the limit.
    train, validation = split(len(images))
    if limit is not None and limit < len(train):
        train, validation = train[:limit], validation[: max(1, round(limit / 9))]  # 90/10, as in the whole
    if num_classes is None:
        return Images(images[train], images[validation])
    labels = check_labels(name, part.labels, num_classes)
    return Images(images[train], images[validation], labels[train], labels[validation])


def load_test(name: str, root: str | Path, *, shape: tuple[int, int, int]) -> Tensor:
    """The test images, which no training may see: (N, C, H, W) uint8. Raises UserError as `load_images`."""
    return _checked(name, load_part(name, root, train=False).images, shape)


def _checked(name: str, images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The images, if they are of `shape`."""
    if tuple(images.shape[1:]) != shape:
        c, h, w = images.shape[1:]
        raise UserError(
            f"data.name={name}: its images are {c}×{h}×{w}; set model.image_channels={c} model.image_size={h}"
        )
    return images


def split(count: int) -> tuple[Tensor, Tensor]:
    """Which of `count` images train and which validate, 90/10."""
    # shuffled, as files may be sorted by class; with its own generator, so independent of what was drawn before
    order = torch.randperm(count, generator=torch.Generator().manual_seed(SPLIT_SEED))  # (count,)
    return order[: round(0.9 * count)], order[round(0.9 * count) :]


def place(images: Tensor, device: torch.device) -> Tensor:
    """Move images to the device if they take less than a quarter of its free memory."""
    # As uint8, a quarter of float32: CIFAR-10 takes 154 MB. The rest is for weights, activations and gradients.
    fits = images.nbytes < memory_available(device) / 4
    return images.to(device) if fits else images


def to_float(images: Tensor) -> Tensor:
    """uint8 0 … 255 → float32 -1 … 1, any shape."""
    # Ho et al., section 3.3: so the network's inputs have one scale at every t. In place is safe here, as .float() has
    # just made a copy; on an argument it would change the caller's images.
    return images.float().div_(127.5).sub_(1)


def num_batches(images: Tensor, batch_size: int) -> int:
    """Full batches in an epoch; what is left over waits for the next shuffle. A small set is one batch."""
    return max(1, len(images) // batch_size)  # full ones only: a compiled network is compiled for one shape


def shuffled_batches(
    images: Tensor, batch_size: int, device: torch.device, *, labels: Tensor | None = None, seed: int, first: int = 0
) -> Iterator[tuple[Tensor, ...]]:
    """One epoch: every batch (B, C, H, W) in [-1, 1] on `device`, in the order of `seed`, from batch `first` on.

    With labels (N,), those of the batch, (B,), follow its images; without, they stand alone in their tuple.
    """
    # The order depends on the seed alone, so a resumed epoch can skip the first batches and get the same others.
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed)).to(images.device)  # (N,)
    for i in range(first, num_batches(images, batch_size)):
        chosen = order[i * batch_size : (i + 1) * batch_size]  # (B,)
        # gathered where the images are, moved as bytes, and only then made four times as large
        x_0 = to_float(images[chosen].to(device))
        yield (x_0,) if labels is None else (x_0, labels[chosen.to(labels.device)].to(device))
