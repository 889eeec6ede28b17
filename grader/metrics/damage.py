"""Which samples are not clean images: noise, two images in one, blur, blocks, parts that don't belong together?

FID and the classes describe samples as a set, and on photographs the classifier is as confident about noise as about a
car. But the outputs of its convolutions, layer by layer, distinguish clean from damaged images: a linear readout of
their means and standard deviations, trained on training images that are damaged here. `make features` trains it.
"""

import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from assignment.ddpm.errors import UserError
from grader.metrics import classifier
from grader.metrics.classifier import Classifier

WEIGHTS = classifier.WEIGHTS / "damage"
# Share of the held-out real images: what looks more damaged than all but these counts as damaged. Smaller for clothes,
# as the most damaged hundredth of real ones includes clumsily drawn ones that nobody would mistake.
RARE, USUALLY = {"digits": 0.01, "fashion_mnist": 0.002, "cifar10": 0.01}, 0.01

Change = Callable[[Tensor, torch.Generator], Tensor]  # uint8 (N, C, H, W) → the same shape


def _pixels(images: Tensor) -> Tensor:
    return images.float() / 255


def _bytes(pixels: Tensor) -> Tensor:
    return (255 * pixels).round().clamp(0, 255).to(torch.uint8)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)  # (N, 1, 1, 1)


def _in_turn(*changes: Change) -> Change:
    """Apply each change to its own part of the images."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        parts = images.tensor_split(len(changes))
        return torch.cat([one(part, generator) for one, part in zip(changes, parts, strict=True)])

    return change


# ---- harmless changes, which the readout has to ignore


def relit(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and gamma; photographs also become lighter, darker and paler."""
    n, x = len(images), _pixels(images)
    photographs = images.shape[1] == 3
    middle = x.mean((1, 2, 3), keepdim=True) if photographs else torch.zeros(n, 1, 1, 1)
    x = middle + (x - middle) * _uniform(n, 0.4, 1.25, generator)
    if photographs:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * _uniform(n, 0.0, 1.2, generator) + _uniform(n, -0.12, 0.12, generator)
    return _bytes(x.clamp(0, 1) ** torch.exp(_uniform(n, -0.35, 0.35, generator)))


def mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    return images.flip(-1)


def jpeg(*qualities: int) -> Change:
    """Compress each part of the images with one JPEG quality."""

    def by(quality: int) -> Change:
        return lambda images, generator: torch.stack([_through_jpeg(image, quality) for image in images])

    return _in_turn(*map(by, qualities))


def _through_jpeg(image: Tensor, quality: int) -> Tensor:
    """(C, H, W) → the same, by Pillow, as torchvision's own codec is on its way out."""
    packed = io.BytesIO()
    TF.to_pil_image(image).save(packed, "JPEG", quality=quality)
    return TF.pil_to_tensor(Image.open(packed))


def blurred(*sigmas: float) -> Change:
    """Blur by Gaussians, their sigmas in pixels of a 32 × 32 image."""

    def by(sigma: float) -> Change:
        def change(images: Tensor, generator: torch.Generator) -> Tensor:
            scaled = sigma * images.shape[-1] / 32
            return TF.gaussian_blur(images, [2 * math.ceil(3 * scaled) + 1] * 2, [scaled] * 2)

        return change

    return _in_turn(*map(by, sigmas))


def noisy(low: float, high: float) -> Change:
    """Add Gaussian noise whose standard deviation is log-uniform between these, for pixels in [0, 1]."""
    lowest, highest = torch.tensor([low, high]).log().tolist()

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        sigma = _uniform(len(images), lowest, highest, generator).exp()
        return _bytes(_pixels(images) + sigma * torch.randn(images.shape, generator=generator))

    return change


def moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by up to a fourteenth of the side, with mirrored edges."""
    side = images.shape[-1]
    most = max(1, side // 14)
    padded = F.pad(_pixels(images), [most] * 4, mode="reflect")
    offsets = torch.randint(2 * most + 1, (len(images), 2), generator=generator).tolist()
    cut = [one[:, y : y + side, x : x + side] for one, (y, x) in zip(padded, offsets, strict=True)]
    return _bytes(torch.stack(cut))


def zoomed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Scale to 90 … 110 %."""
    scales = _uniform(len(images), 0.9, 1.1, generator).flatten().tolist()
    smoothly = v2.InterpolationMode.BILINEAR
    return torch.stack([
        TF.affine(one, angle=0, translate=[0, 0], scale=scale, shear=[0, 0], interpolation=smoothly)
        for one, scale in zip(images, scales, strict=True)
    ])  # fmt: skip


HARMLESS = _in_turn(
    relit, relit, relit, mirrored, jpeg(50, 75, 90), blurred(0.4, 0.6), noisy(0.005, 0.03), moved, zoomed
)


# ---- damage


def nothing_but_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Independent pixels, uniform or Gaussian, in colour or in grey; the last parts smoothed."""
    n, (_, channels, side, _) = len(images), images.shape
    noise = torch.randn(images.shape, generator=generator)
    grey = torch.rand(n, 1, 1, 1, generator=generator) < 0.3
    noise = torch.where(grey, noise[:, :1].expand(-1, channels, -1, -1), noise)
    smooth = [noise] * 3 + [TF.gaussian_blur(noise, [2 * (side // 4) + 1] * 2, [s * side / 32] * 2) for s in (1, 2, 4)]
    noise = torch.cat([part.tensor_split(6)[i] for i, part in enumerate(smooth)])
    noise = noise / noise.std((1, 2, 3), keepdim=True)
    gaussian = _uniform(n, 0.1, 0.8, generator) + _uniform(n, 0.05, 0.5, generator) * noise
    flat = torch.rand(images.shape, generator=generator)
    return _bytes(torch.where(_uniform(n, 0, 1, generator) < 0.1, flat, gaussian))


def speckled(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn 8 … 40 % of the pixels black or white."""
    chance = torch.rand(len(images), 1, *images.shape[2:], generator=generator)
    part = _uniform(len(images), 0.04, 0.2, generator)
    return images.masked_fill(chance < part, 0).masked_fill(chance > 1 - part, 255)


def mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    weight, other = _uniform(len(images), 0.35, 0.65, generator), images.roll(1, 0)
    return _bytes(weight * _pixels(images) + (1 - weight) * _pixels(other))


def lighter_of_two(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.maximum(images, images.roll(1, 0))


def side_by_side(images: Tensor, generator: torch.Generator) -> Tensor:
    """The left or the upper half of one image, the rest of another."""
    half, other, result = images.shape[-1] // 2, images.roll(1, 0), images.clone()
    across = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    result[..., half:] = torch.where(across, other, images)[..., half:]
    result[..., half:, :] = torch.where(across, result, other)[..., half:, :]
    return result


def shuffled(parts: int) -> Change:
    """Shuffle `parts` × `parts` tiles, in a different order for each image."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        n, side = len(images), images.shape[-1]
        size = side // parts
        tiles = F.unfold(
            _pixels(images[..., : size * parts, : size * parts]), size, stride=size
        )  # (N, C·size², parts²)
        order = torch.rand(n, 1, parts**2, generator=generator).argsort(-1).expand_as(tiles)
        whole = F.fold(tiles.gather(2, order), size * parts, size, stride=size)
        return _bytes(F.pad(whole, [0, side - size * parts] * 2))

    return change


def coarse(images: Tensor, generator: torch.Generator) -> Tensor:
    """Reduce to a quarter of the side and stretch again."""
    side = images.shape[-1]
    return _bytes(F.interpolate(F.avg_pool2d(_pixels(images), 4), side, mode="bilinear"))


def plain(images: Tensor, generator: torch.Generator) -> Tensor:
    """One colour."""
    return _bytes(_pixels(images).mean((2, 3), keepdim=True).expand_as(images))


DAMAGES: dict[str, Change] = {
    "noise": _in_turn(noisy(0.08, 0.5), noisy(0.08, 0.5), nothing_but_noise, nothing_but_noise, speckled),
    "two images in one": _in_turn(mixed, mixed, mixed, lighter_of_two),
    "blur": _in_turn(blurred(1.3, 1.6, 2, 3), blurred(1.3, 1.6, 2, 3), coarse, plain),
    "blocks": jpeg(3, 4, 6, 8),
    "parts that don't belong together": _in_turn(shuffled(2), shuffled(4), side_by_side, side_by_side),
}


# ---- the readout


@torch.no_grad()
def layers(network: Classifier, images: Tensor, batch_size: int = 512) -> Tensor:
    """uint8 (N, C, H, W) → mean and standard deviation over the image of every convolution's outputs, (N, L)."""
    device = next(network.parameters()).device
    return torch.cat([network.layers(part.to(device)).cpu() for part in images.split(batch_size)])


@dataclass(frozen=True)
class Readout:
    """A linear map of standardised layers to the log odds of each kind of damage."""

    name: str  # contains the weights' hash
    mean: Tensor  # (L,)
    scale: Tensor  # (L,)
    weight: Tensor  # (K, L) for the K kinds
    bias: Tensor  # (K,)
    limit: float  # exceeded by few held-out real images, see RARE
    about: dict[str, Any]

    def odds(self, layers: Tensor) -> Tensor:
        """(N, L) → (N, K): log odds of each damage against none."""
        standardised = ((layers - self.mean) / self.scale).clamp(-FAR, FAR)
        return standardised @ self.weight.T + self.bias


FAR = 8.0  # standard deviations at which a layer's output is clipped


@cache
def load(data: str) -> Readout:
    """The shipped readout for the classifier of a data set. Raises UserError if there is none."""
    file = WEIGHTS / f"{data}.safetensors"
    if not file.is_file():
        raise UserError(
            f"data.name={data}: nothing tells its damaged samples from clean ones: make features ARGS={data}"
        )
    content = file.read_bytes()
    with safetensors.safe_open(file, framework="pt") as opened:
        about = json.loads(opened.metadata()["about"])
    state = {name: tensor.float() for name, tensor in safetensors.torch.load(content).items()}
    name = f"{data}-{hashlib.sha256(content).hexdigest()[:12]}"
    return Readout(name=name, limit=about["limit"], about=about, **state)


def damaged(data: str, images: Tensor) -> tuple[Tensor, list[str]]:
    """Which of uint8 images (N, C, H, W) look damaged, (N,) bool, and the kind of damage for each of those."""
    readout = load(data)
    odds = readout.odds(layers(classifier.load(data).network, images))
    found = ~(odds.logsumexp(1) <= readout.limit)
    return found, [readout.about["kinds"][kind] for kind in odds[found].argmax(1).tolist()]
