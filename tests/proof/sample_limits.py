"""Do the limits on samples separate recognizable from unrecognizable sets? Judges sets with a person's verdict.

    uv run python -m tests.proof.sample_limits --grids ../shared/data/sample_grids [--drawn outputs]

Three kinds of sets: controls made from real images (controls.py), public grids of generated images (not in this
repository; index.tsv beside them has the verdicts), and samples drawn by the reference and by small networks, as
`python -m tests.gpu.draw` and `tests.gpu.networks` leave them in outputs/ (`DRAWN` has the verdicts). Kinds not given
keep their rows. The result goes to tests/bench/results/sample-limits.json, which docs/evidence.md shows; pictures of
the controls go beside it.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy
import safetensors.torch
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from assignment.ddpm.errors import UserError
from assignment.ddpm.progress import progress_bar
from grader.checks import samples as checks
from grader.checks.finding import CheckFailed
from grader.grading_config import Samples, load_grading
from grader.metrics import classifier, copies, damage
from grader.metrics.floor import features, frechet
from grader.metrics.quality import LOOKED_UP, REAL
from tests.bench.results import load, write
from tests.conftest import ROOT
from tests.proof.calibrate import upper
from tests.proof.controls import CONTROLS, Stock, looks

RESULT = "sample-limits.json"
CACHE = Path("outputs/sample_limits")
PICTURES = ROOT / "docs" / "pictures"
DATA = ("fashion_mnist", "cifar10")
MOST = 1024  # images of a control
DRAWS = 20  # each of as many images as a CPU draws
FLOOR_DRAWS = 100
REAL_DRAWS = 300  # of real images, to measure how often they fail
FEW = 100  # images below which missing classes mean nothing
SOME, MANY = 48, LOOKED_UP  # images that are checked for copies; many if copies are the point
WORTH_COPYING = ("real", "half the contrast")  # … or if there must be none
SHOWN = 8  # images of a control in the picture

# Our own samples: how recognizable they are, by one person's judgement
DRAWN = {
    "fashion_mnist": {
        "reference, epoch 1": "partly", "reference, epoch 2": "partly", "reference, epoch 5": "yes",
        "reference, epoch 10": "yes", "reference, 25 steps": "yes", "reference, 50 steps": "yes",
        "reference, 250 steps": "yes", "residual_convnet, 0.1 min": "no", "unet, 0.1 min": "no",
        "unet_add_attention, 0.1 min": "no", "unet_without_t, 0.1 min": "no",
    },
    "cifar10": {
        "reference, epoch 1": "no", "reference, epoch 2": "no", "reference, epoch 5": "no", "reference, epoch 10": "no",
        "reference, 50 steps": "no", "reference, 250 steps": "no",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Set:
    """Images with a person's verdict."""

    data: str
    kind: str  # control, public, drawn
    name: str
    looks: str  # yes, partly, no
    images: Tensor  # (N, C, H, W) uint8
    source: str = ""
    copies: int = SOME  # images that are checked for copies


@dataclass(frozen=True)
class Seen:
    """What is measured for each image of a set."""

    features: Tensor  # (N, FEATURES)
    p: Tensor  # (N, K)
    damaged: Tensor  # (N,) bool
    copied: Tensor  # (≤ N,) bool

    def some(self, chosen: Tensor) -> "Seen":
        return Seen(self.features[chosen], self.p[chosen], self.damaged[chosen], self.copied)


def limits_of(wanted: Samples) -> dict[str, float]:
    """What samples are held to, by name; how many classes there are is no limit."""
    numbers = {name: value for name, value in vars(wanted).items() if isinstance(value, float | int)}
    return {name: value for name, value in numbers.items() if name != "classes"}


class Judge:
    """The limits of one data set, and the real images for comparison."""

    def __init__(self, data: str, root: Path) -> None:
        self.data, self.stock, self.network = data, Stock.of(data, root), classifier.load(data).network
        self.wanted: Samples = load_grading().samples[data]
        of = [classifier.load(data).name, damage.load(data).name, Path(copies.__file__).read_text()]
        self.version = hashlib.sha256("".join(of).encode()).hexdigest()
        self.known = features(self.network, self.stock.train[:REAL])
        self.real = self.see(Set(data, "control", "held out", "yes", self.stock.held_out, copies=MOST))
        self.sure = self.real.p.amax(1).mean().item()
        self.floors: dict[int, float] = {}

    def see(self, one: Set) -> Seen:
        """Cached in outputs/, as a set takes up to a minute."""
        digest = hashlib.sha256(one.images.contiguous().numpy().tobytes() + f"{one.copies}{self.version}".encode())
        file = CACHE / f"{digest.hexdigest()[:20]}.safetensors"
        if not file.exists():
            found = features(self.network, one.images)
            damaged, _ = damage.damaged(self.data, one.images)
            some = one.images[torch.randperm(len(one.images), generator=torch.Generator().manual_seed(0))[: one.copies]]
            kept = {
                "features": found, "p": self.network.head(found.float()).softmax(1), "damaged": damaged,
                "copied": copies.copied(some, self.stock.train),
            }  # fmt: skip
            CACHE.mkdir(parents=True, exist_ok=True)
            safetensors.torch.save_file(kept, file)
        return Seen(**safetensors.torch.load_file(file))

    def floor(self, count: int) -> float:
        """Mean FID of this many real images never seen in training."""
        if count not in self.floors:
            chosen = subsets(self.real, count, FLOOR_DRAWS)
            self.floors[count] = mean(frechet(self.real.features[one], self.known) for one in chosen)
        return self.floors[count]

    def judge(self, seen: Seen) -> tuple[dict[str, float], list[str]]:
        """The figures of a set, and the checks that it fails."""
        count, of = len(seen.p), self.wanted
        shares = (torch.bincount(seen.p.argmax(1), minlength=seen.p.shape[1]) / count).tolist()
        floor, fid = self.floor(count), frechet(seen.features, self.known)
        sure, damaged = seen.p.amax(1).mean().item(), seen.damaged.double().mean().item()
        again = seen.copied.double().mean().item()
        figures = {
            "fid_above_real": fid - floor, "confidence_of_real": sure / self.sure, "rarest": min(shares),
            "commonest": max(shares), "damaged": damaged, "copies": again,
        }  # fmt: skip
        claims = {
            "fid": lambda: checks.check_fid(fid, floor, of.above_real, ""),
            "clean": lambda: checks.check_clean(damaged, "noise", 0.0, of.damaged),
            "new": lambda: checks.check_new(again, 0.0, of.copies),
            "recognizable": lambda: checks.check_confidence(sure, self.sure, of.confidence),
        }  # fmt: skip
        if count >= FEW:
            least, most, missing = of.rarest_class, of.commonest_class, of.missing_classes
            claims["classes"] = lambda: checks.check_classes(shares, least, most, missing)
        return figures, [name for name, claim in claims.items() if fails(claim)]

    def row(self, one: Set) -> dict[str, Any]:
        """A set's row in the result file, with figures for the number of images that a CPU draws, or for its own."""
        seen, count = self.see(one), self.wanted.cpu.images
        whole, failed = self.judge(seen)
        row = {"data": one.data, "kind": one.kind, "name": one.name, "looks": one.looks, "source": one.source}
        if one.kind != "control":
            return row | {"n": len(seen.p)} | rounded(whole) | {"failed": failed, "passes": float(not failed)}
        draws = [self.judge(seen.some(chosen)) for chosen in subsets(seen, count, DRAWS)]
        figures = {name: sum(found[name] for found, _ in draws) / DRAWS for name in whole}
        often = {name: sum(name in failed for _, failed in draws) for name in CLAIMS}
        return row | {"n": count} | rounded(figures) | {
            "failed": [name for name, times in often.items() if 2 * times > DRAWS],
            "passes": sum(not failed for _, failed in draws) / DRAWS,
            "gpu": {"n": len(seen.p), **rounded(whole), "failed": failed, "passes": float(not failed)},
        }  # fmt: skip

    def false_fails(self, count: int) -> dict[str, Any]:
        """How often as many real images fail any check."""
        failed = sum(bool(self.judge(self.real.some(chosen))[1]) for chosen in subsets(self.real, count, REAL_DRAWS))
        return {"n": count, "draws": REAL_DRAWS, "failed": failed, "below": round(upper(failed, REAL_DRAWS), 5)}


CLAIMS = ("fid", "classes", "recognizable", "clean", "new")


def fails(claim: Any) -> bool:
    try:
        claim()
    except CheckFailed:
        return True
    return False


def subsets(seen: Seen, count: int, draws: int) -> Iterator[Tensor]:
    for k in range(draws):
        yield torch.randperm(len(seen.p), generator=torch.Generator().manual_seed(k))[:count]


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


# ---- the three kinds of sets


def controls(judge: Judge) -> Iterator[Set]:
    for name, (_, make) in CONTROLS.items():
        images = make(judge.stock, MOST, torch.Generator().manual_seed(0))
        full = "cop" in name or name in WORTH_COPYING
        yield Set(judge.data, "control", name, looks(name, judge.data), images, copies=MANY if full else SOME)


def public(folder: Path, data: str) -> Iterator[Set]:
    """The tiles of each grid listed in index.tsv: `256 tiles of 32x32, 16 a row, no padding`."""
    for row in csv.DictReader((folder / "index.tsv").open(), delimiter="\t"):
        words = row["tiles"].split()
        count, side = int(words[0]), int(words[3].split("x")[0])
        if (side == 32) != (data == "cifar10"):
            continue
        with Image.open(folder / row["file"]) as opened:
            whole = torch.from_numpy(numpy.array(opened.convert("RGB" if data == "cifar10" else "L")))
        tiles = whole.view(*whole.shape[:2], -1).unfold(0, side, side).unfold(1, side, side).flatten(0, 1)
        name = row["file"].split("_", 1)[1].removesuffix(".png").replace("_", " ")
        yield Set(data, "public", name, row["looks recognizable"], tiles[:count].contiguous(), row["source"])


def drawn(folder: Path, data: str) -> Iterator[Set]:
    """Samples beside trainings (<data>-seed0/samples-250.safetensors; milestones-50.safetensors: a tensor an epoch),
    and those of small networks on Fashion-MNIST (gpu-networks/unet-0.1.safetensors: after so many minutes)."""
    found = {}
    for file in sorted(folder.glob(f"reference/{data}-seed0/samples-*.safetensors")):
        found[f"reference, {file.stem.split('-')[1]} steps"] = safetensors.torch.load_file(file)["images"]
    for file in sorted(folder.glob(f"reference/{data}-seed0/milestones-*.safetensors")):
        for name, images in sorted(safetensors.torch.load_file(file).items()):
            found[f"reference, epoch {int(name.split('-')[1])}"] = images
    for file in sorted(folder.glob("gpu-networks/*.safetensors")) if data == "fashion_mnist" else ():
        network, minutes = file.stem.rsplit("-", 1)
        found[f"{network}, {minutes} min"] = safetensors.torch.load_file(file)["images"]
    if unseen := found.keys() - DRAWN[data].keys():
        raise UserError(f"DRAWN does not say yet how recognizable these are: {', '.join(sorted(unseen))}")
    for name, images in found.items():
        yield Set(data, "drawn", name, DRAWN[data][name], images[:MOST])


def save_controls(judge: Judge) -> Path:
    """The first images of every control beside its name, in two columns."""
    side, pad, words = judge.stock.train.shape[-1], 2, 190
    cell, rows = side + pad, -(-len(CONTROLS) // 2)
    width = words + SHOWN * cell + 4 * pad
    page = Image.new("RGB", (2 * width, rows * cell + pad), "white")
    pen = ImageDraw.Draw(page)
    for i, (name, (_, make)) in enumerate(CONTROLS.items()):
        left, top = i // rows * width, i % rows * cell + pad
        pen.text((left + words - pad, top + side // 2), name, fill="black", anchor="rm")
        for k, image in enumerate(make(judge.stock, SHOWN, torch.Generator().manual_seed(1))):
            page.paste(TF.to_pil_image(image).convert("RGB"), (left + words + k * cell, top))
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"controls-{judge.data}.png"
    page.save(file, optimize=True)
    return file


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.sample_limits", description=__doc__.splitlines()[0])
    parser.add_argument("--grids", type=Path, metavar="FOLDER", help="of public grids, with index.tsv")
    parser.add_argument("--drawn", type=Path, metavar="FOLDER", help="with reference/ and gpu-networks/ in it")
    parser.add_argument("--root", type=Path, default=Path("data"), help="where the data sets are")
    args = parser.parse_args()
    try:
        before = (load(RESULT) or {"sets": []})["sets"]
        rows, limits, real = [], {}, {}
        for data in DATA:
            judge = Judge(data, args.root)
            found = [*controls(judge), *(public(args.grids, data) if args.grids else ()),
                     *(drawn(args.drawn, data) if args.drawn else ())]  # fmt: skip
            with progress_bar(len(found), "sets", data) as bar:
                for one in found:
                    rows.append(judge.row(one))
                    bar.update()
            kinds = {one.kind for one in found}
            rows += [row for row in before if row["data"] == data and row["kind"] not in kinds]
            save_controls(judge)
            real[data] = [judge.false_fails(n.images) for n in (judge.wanted.cpu, judge.wanted.gpu)]
            limits[data] = limits_of(judge.wanted)
        print("written to", write(RESULT, torch.device("cpu"), {"limits": limits, "real_images": real, "sets": rows}))
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
