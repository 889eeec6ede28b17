"""Train the classifiers that judge samples: python -m grader.metrics.train_classifier [DATA SET]…

Resumes at the epoch where it was stopped. Weights are stored in half precision, with the test accuracy that these
rounded weights have.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.data import DATASETS, load_part, split
from assignment.ddpm.device import choose_device, half_precision
from assignment.ddpm.errors import Parser, run_command
from assignment.ddpm.files import replacing
from assignment.ddpm.progress import progress_bar
from assignment.ddpm.seeds import derive_seed
from grader.metrics.classifier import ROTATIONS, WIDTHS, Classifier, probabilities, weights_file, widths_for
from grader.metrics.machine import machine


@dataclass(frozen=True)
class Recipe:
    epochs: int
    batch_size: int
    learning_rate: float
    shift: int  # pixels, at most, by which images are shifted
    mirror: bool


RECIPES = {
    "digits": Recipe(epochs=60, batch_size=64, learning_rate=0.05, shift=1, mirror=False),
    "fashion_mnist": Recipe(epochs=10, batch_size=256, learning_rate=0.2, shift=2, mirror=True),
    "cifar10": Recipe(epochs=10, batch_size=256, learning_rate=0.2, shift=4, mirror=True),
}
STEPS, BATCHES = 2500, 20  # of other data sets: at least so many in all, and so many in an epoch
MOMENTUM, WEIGHT_DECAY, SMOOTHING = 0.9, 5e-4, 0.1


def recipe_for(data: str, count: int, side: int) -> Recipe:
    """That of RECIPES; for other data sets of so many images, nothing that could change what they show."""
    batch_size = max(16, min(256, count // BATCHES))
    epochs = max(10, -(-STEPS * batch_size // count))
    usual = Recipe(
        epochs, batch_size, learning_rate=0.2 * (batch_size / 256) ** 0.5, shift=max(1, side // 14), mirror=False
    )
    return RECIPES.get(data, usual)


def rotated(images: Tensor, turns: Tensor) -> Tensor:
    """Each of (B, C, H, W) by as many quarter turns as (B,) says: what images without labels are asked about."""
    return torch.stack([image.rot90(int(k), (-2, -1)) for image, k in zip(images, turns, strict=True)])


def in_all_rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) → (4 N, C, H, W) and by how many quarter turns, (4 N,)."""
    turns = torch.arange(4).repeat_interleave(len(images))
    return rotated(images.repeat(4, 1, 1, 1), turns), turns


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Shift each of (B, C, H, W) by up to `shift` pixels, and mirror half of them."""
    b, _, h, w = images.shape
    padded = F.pad(images, [recipe.shift] * 4)
    y, x = torch.randint(2 * recipe.shift + 1, (2, b, 1), generator=generator).to(images.device)
    rows, columns = y + torch.arange(h, device=images.device), x + torch.arange(w, device=images.device)  # (B, H)
    if recipe.mirror:
        mirrored = (torch.rand(b, 1, generator=generator) < 0.5).to(images.device)
        columns = torch.where(mirrored, columns.flip(1), columns)
    batch = torch.arange(b, device=images.device).view(-1, 1, 1)
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def train(data: str, root: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Train one classifier, write its weights, and return what is known about it."""
    device = choose_device("auto").value
    precision = half_precision(device).value or torch.float32
    (images, labels), (test_images, test_labels) = (load_part(data, root, train=train) for train in (True, False))
    recipe = recipe_for(data, len(images), images.shape[-1])
    learnt = "labels"
    if labels is None or test_labels is None:
        learnt, labels = ROTATIONS, None
        test_images, test_labels = in_all_rotations(test_images)
    chosen, _ = split(len(images))
    images, wanted = images[chosen].to(device), labels[chosen].to(device) if labels is not None else None
    classes = 4 if labels is None else int(labels.max()) + 1

    torch.manual_seed(seed)
    network = (
        Classifier(widths_for(data, tuple(images.shape[1:])), classes).to(device).to(memory_format=torch.channels_last)
    )
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    steps = len(images) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps)
    checkpoint, done, seconds = folder / f"{data}.pt", 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if state["seed"] == seed and state["recipe"] == vars(recipe):
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
            done, seconds = state["done"], state["seconds"]
            print(f"going on from {checkpoint}, epoch {done}")

    with progress_bar(recipe.epochs * steps, "steps", data, done=done * steps) as bar:
        for epoch in range(done, recipe.epochs):
            start = time.monotonic()
            generator = torch.Generator().manual_seed(derive_seed("classifier", seed, epoch))
            order = torch.randperm(len(images), generator=generator).to(device)
            network.train()
            for i in range(steps):
                part = order[i * recipe.batch_size : (i + 1) * recipe.batch_size]
                batch = augment(images[part], recipe, generator)
                target = torch.randint(4, (len(part),), generator=generator) if wanted is None else wanted[part]
                batch = rotated(batch, target) if wanted is None else batch
                batch = batch.contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                    logits = network(batch)
                loss = F.cross_entropy(logits.float(), target.to(device), label_smoothing=SMOOTHING)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            seconds += time.monotonic() - start
            state = {
                "network": network.state_dict(), "optimizer": optimizer.state_dict(), "seed": seed,
                "schedule": schedule.state_dict(), "recipe": vars(recipe), "done": epoch + 1, "seconds": seconds,
            }  # fmt: skip
            with replacing(checkpoint) as temporary:
                torch.save(state, temporary)

    kept = {k: (v.half() if v.is_floating_point() else v).cpu().contiguous() for k, v in network.state_dict().items()}
    network.load_state_dict(kept)
    network.float().eval()
    right = probabilities(network, test_images).argmax(1) == test_labels
    about = {
        "data": data, "test_accuracy": right.double().mean().item(), "test_images": len(right), "seed": seed,
        "learnt": learnt, "classes": classes, "epochs": recipe.epochs, "training_seconds": round(seconds, 1),
        "precision": str(precision), "machine": machine(device),
    }  # fmt: skip
    with replacing(weights_file(data)) as temporary:
        safetensors.torch.save_file(kept, temporary, metadata={"about": json.dumps(about)})
    checkpoint.unlink(missing_ok=True)
    return about


def main(argv: list[str]) -> int:
    parser = Parser(prog="python -m grader.metrics.train_classifier", description=__doc__.split(":")[0])
    parser.add_argument("data", nargs="*", default=list(WIDTHS), metavar="DATA_SET", help=", ".join(DATASETS))
    parser.add_argument("--root", type=Path, default=Path("data"), help="where the images are, or are downloaded to")
    parser.add_argument("--seed", type=int, default=0)

    def command() -> None:
        args = parser.parse_args(argv)
        for data in args.data:
            about = train(data, args.root, Path("outputs/classifiers"), args.seed)
            what = "test images" if about["learnt"] != ROTATIONS else "rotations of test images, as they have no labels"
            print(f"{data}: {about['test_accuracy']:.2%} of {about['test_images']:,} {what}, {weights_file(data)}")

    return run_command(command, interrupted="the same command resumes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
