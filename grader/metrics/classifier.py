"""One small classifier per data set: FID and related metrics compare its features, its classes say what samples show.

An Inception network trained on photographs says little about 8×8 digits or grey clothes (and its FID has a floor near
30 at 2000 CIFAR-10 images, even for real ones); a classifier of the same data set says more. `make features` trains
them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assignment.ddpm.data import to_float
from assignment.ddpm.errors import UserError

WEIGHTS = Path(__file__).parent / "weights"
ROTATIONS = "rotations"  # what is learnt where there are no labels (Gidaris et al. 2018)
FEATURES = 96
# data set → channels of the image, then of each stage; every stage but the first halves the image
WIDTHS = {"digits": (1, 32, 64), "fashion_mnist": (1, 16, 32, 64, 128), "cifar10": (3, 32, 64, 128, 128)}
SMALLEST, WIDEST = 4, 128  # side of the last stage, and its channels, for other data sets


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(width, width), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Classifier(nn.Module):
    """Convolutions, a residual pair in each stage, the mean over the image, then FEATURES normalised features."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels, stem, *rest = widths
        layers: list[nn.Module] = [_conv(channels, stem)]
        for before, after in zip([stem, *rest], rest, strict=False):
            layers += [_conv(before, after, stride=2), _Residual(after)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], FEATURES))
        # unit variance over the training images, so that distances mean the same for every data set
        self.normalise = nn.BatchNorm1d(FEATURES, affine=False)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes))

    def features(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) → (B, FEATURES)."""
        return self.normalise(self.body(to_float(images)).float())

    def layers(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) → mean and standard deviation over the image of each convolution's channels, (B, L)."""
        x, found = to_float(images), []
        for layer in self.body:
            x = layer(x)
            if x.dim() == 4 and x.shape[-1] > 1:
                found += [x.mean((2, 3)), x.std((2, 3))]
        return torch.cat(found, dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W) → logits (B, K)."""
        return self.head(self.features(images))


@dataclass(frozen=True)
class Shipped:
    """A trained classifier and what is known about it."""

    name: str  # contains the weights' hash, so caches and records of other weights can't be confused with it
    network: Classifier
    about: dict[str, Any]  # test accuracy, machine, seed

    @property
    def knows_classes(self) -> bool:
        """Whether it has learnt the data set's own labels."""
        return self.about.get("learnt") != ROTATIONS


def weights_file(data: str) -> Path:
    return WEIGHTS / f"{data}.safetensors"


def widths_for(data: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Those of WIDTHS; for other images of (C, H, W), stages until few pixels are left."""
    channels, side, _ = shape
    widths = [channels, 16 * (1 if channels == 1 else 2)]
    while side > SMALLEST:
        side = -(-side // 2)
        widths.append(min(WIDEST, 2 * widths[-1]))
    return WIDTHS.get(data, tuple(widths))


def _built_for(state: dict[str, Tensor]) -> Classifier:
    """The network whose weights these are."""
    stages = [state[f"body.{k}.0.weight"] for k in range(len(state)) if f"body.{k}.0.weight" in state]  # convolutions
    network = Classifier((stages[0].shape[1], *map(len, stages)), len(state["head.1.weight"]))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


@cache
def load(data: str) -> Shipped:
    """The shipped classifier of a data set. Raises UserError if there is none."""
    file = weights_file(data)
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))) or "none"
        raise UserError(
            f"data.name={data}: there is no classifier to judge its samples by, only for {known}; "
            f"the course trains one with make features ARGS={data}"
        )
    content = file.read_bytes()
    with safetensors.safe_open(file, framework="pt") as opened:
        about = json.loads(opened.metadata()["about"])
    state = {k: v.float() if v.is_floating_point() else v for k, v in safetensors.torch.load(content).items()}
    return Shipped(f"{data}-{hashlib.sha256(content).hexdigest()[:12]}", _built_for(state), about)


@torch.no_grad()
def probabilities(network: Classifier, images: Tensor, batch_size: int = 512) -> Tensor:
    """uint8 (N, C, H, W) → softmax over the classes (N, K), on the CPU."""
    device = next(network.parameters()).device
    return torch.cat([F.softmax(network(part.to(device)), dim=1).cpu() for part in images.split(batch_size)])
