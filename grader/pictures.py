"""Pictures of trained networks for people: samples beside real images, FID among its bands, loss by t."""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.figures import save_grid
from assignment.ddpm.files import replacing
from grader.checks.paired import Comparison

SHOWN = 40  # samples, and as many real images
HALF = 8  # columns of each
SAMPLES_ALT = "A grid: on the left images that the network has drawn, on the right real ones"


def save_samples(samples: Tensor, real: Tensor, path: Path) -> Path:
    """Samples (N, C, H, W) in [-1, 1] on the left, real uint8 images on the right, a white column between."""
    rows = min(SHOWN, len(samples), len(real)) // HALF
    left, right = samples[: rows * HALF], to_float(real[: rows * HALF])
    blank = torch.ones_like(left[:1])
    cells = [torch.cat([left[r * HALF : (r + 1) * HALF], blank, right[r * HALF : (r + 1) * HALF]]) for r in range(rows)]
    save_grid(torch.cat(cells), path, columns=2 * HALF + 1)
    return path


def save_bands(fid: float, record: dict, factor: float, path: Path) -> Path:
    """The FID of a submission on a line with that of real images, of the reference, and the limit."""
    from matplotlib.figure import Figure

    floor, reference = ([row["fid"] for row in record[of]] for of in ("floor", "reference"))
    limit = factor * sum(floor) / len(floor)
    figure = Figure(figsize=(7, 1.9), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel=f"FID of {record['images']} images in {record['steps']} steps", xscale="log")
    axes.axvspan(min(floor), max(floor), color="tab:green", alpha=0.35, label="real images")
    axes.axvspan(min(reference), max(reference) * 1.005, color="tab:blue", alpha=0.45, label="the reference")
    axes.axvline(limit, color="tab:red", label=f"limit {limit:.1f}")
    axes.plot([fid], [0.5], "*", color="black", markersize=14, label=f"this submission {fid:.1f}")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def save_loss_by_t(found: Comparison, edges: list[int], path: Path) -> Path:
    """How much of the loss is lost or won against the reference, for each bin of t, with its standard error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), dpi=120, layout="constrained")
    title = f"loss {found.student:.4f}, reference {found.reference:.4f}: {found.relative:+.2%} ± {found.error:.2%}"
    axes = figure.add_subplot(xlabel="timestep t", ylabel="loss above the reference's", title=title)
    values, errors = zip(*found.bins, strict=True)
    colours = ["tab:red" if v > 0 else "tab:green" for v in values]
    names = [f"{a} … {b - 1}" for a, b in pairwise(edges)]
    axes.bar(names, values, yerr=errors, color=colours, alpha=0.8, capsize=4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:+.1%}")
    axes.grid(axis="y", alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path
