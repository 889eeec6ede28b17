"""Pictures for the report: samples beside real images, FID in its bands, losses by epoch and by t, errors of steps."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.figures import save_grid
from assignment.ddpm.files import replacing
from grader.checks.beats_reference import Comparison
from grader.checks.step_errors import StepError
from grader.grading_config import Drawing
from grader.student.training_log import Epoch

SHOWN = 40  # samples, and as many real images
HALF = 8  # columns of each
SIZE, DPI = (5.25, 3.2), 160  # in inches; small, so that letters are large enough on a phone
SAMPLES_ALT = "A grid: on the left images that the network has drawn, on the right real ones"


def save_samples(samples: Tensor, real: Tensor, path: Path) -> Path:
    """Samples (N, C, H, W) in [-1, 1] on the left, real uint8 images (M, C, H, W) on the right, white in between."""
    rows = min(SHOWN, len(samples), len(real)) // HALF
    left, right = samples[: rows * HALF], to_float(real[: rows * HALF])
    blank = torch.ones_like(left[:1])
    cells = [torch.cat([left[r * HALF : (r + 1) * HALF], blank, right[r * HALF : (r + 1) * HALF]]) for r in range(rows)]
    save_grid(torch.cat(cells), path, columns=2 * HALF + 1)
    return path


def label_log(axis: Any) -> None:
    """Plain numbers on a logarithmic axis, only as many as fit."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high < 1000 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def save_bands(
    fid: float, real: dict[str, float], reference: Sequence[float], limit: float, drawing: Drawing, path: Path
) -> Path:
    """The FID of a submission on an axis with that of real images (`mean`, `sd`), of the reference, and the limit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0], 2.1), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel=f"FID of {drawing.images} images in {drawing.steps} steps", xscale="log")
    low, high = max(real["mean"] - 2 * real["sd"], real["mean"] / 2), real["mean"] + 2 * real["sd"]
    axes.axvspan(low, high, color="tab:green", alpha=0.35, label="real images")
    if reference:
        axes.axvspan(min(reference), max(reference) * 1.02, color="tab:blue", alpha=0.45, label="the reference")
    axes.axvline(limit, color="tab:red", label=f"limit {limit:.1f}")
    axes.plot([fid], [0.5], "*", color="black", markersize=14, label=f"this submission {fid:.1f}")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    label_log(axes.xaxis)
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def save_loss_by_t(found: Comparison, edges: list[int], path: Path) -> Path:
    """The loss relative to the reference's, for each bin of t, with its standard error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    title = f"loss {found.student:.4f}, reference {found.reference:.4f}: {found.relative:+.2%} ± {found.error:.2%}"
    axes = figure.add_subplot(xlabel="timestep t", ylabel="above the reference's")
    axes.set_title(title, fontsize="medium")
    values, errors = zip(*found.bins, strict=True)
    colours = ["tab:red" if v > 0 else "tab:green" for v in values]
    names = [f"{a}–{b - 1}" for a, b in pairwise(edges)]
    axes.bar(names, values, yerr=errors, color=colours, alpha=0.8, capsize=4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:+.3g} %" if abs(v) > 1e-9 else "0 %")
    axes.grid(axis="y", alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def save_loss_curve(log: list[Epoch], reference: Sequence[tuple[float, float]], path: Path) -> Path:
    """Losses by epoch, and the reference's validation losses as (epoch, loss)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss", yscale="log")
    epochs, marker = [row.epoch for row in log], "o" if len(log) < 30 else ""
    axes.plot(epochs, [row.training for row in log], color="tab:gray", marker=marker, label="training")
    axes.plot(epochs, [row.validation for row in log], color="tab:blue", marker=marker, label="validation")
    if reference:
        axes.plot(*zip(*reference, strict=True), "D", color="tab:orange", label="reference's validation")
    axes.set_xlim(0, 1.05 * log[-1].epoch)
    label_log(axes.yaxis)
    axes.grid(alpha=0.3)
    axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def curve_in_words(log: list[Epoch], reference: Sequence[tuple[float, float]]) -> str:
    """What `save_loss_curve` shows, in words."""
    first, last, best = log[0], log[-1], min(log, key=lambda row: row.validation)
    stood = f"; the reference's was {reference[-1][1]:.4f} after epoch {reference[-1][0]:g}" if reference else ""
    return (
        f"Lines by epoch: the training loss goes from {first.training:.4f} to {last.training:.4f}, the validation loss "
        f"from {first.validation:.4f} to {last.validation:.4f} after epoch {last.epoch:g}, with the least of "
        f"{best.validation:.4f} after epoch {best.epoch:g}{stood}"
    )


def save_step_errors(found: list[StepError], path: Path) -> Path:
    """Errors of mean and standard deviation by t, on a log scale, each with its limit as a dashed line.

    With Pillow: importing matplotlib would take half as long as judging a sampler.
    """
    width, height, scale = 840, 500, 2  # drawn larger and scaled down, for smooth lines
    left, top, right, bottom = (scale * edge for edge in (110, 90, 820, 410))
    image = Image.new("RGB", (scale * width, scale * height), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(scale * 22)
    largest = max(max(e.mean, e.sigma, e.mean_limit, e.sigma_limit) for e in found)
    decades = range(-4, max(0, math.ceil(math.log10(largest))) + 1)  # from 0.01 %
    first, last = found[0].t, max(found[-1].t, found[0].t + 1)

    def at(t: float, error: float) -> tuple[float, float]:
        up = math.log10(max(error, 10.0 ** decades[0])) - decades[0]
        across = 0.02 + 0.96 * (t - first) / (last - first)
        return left + (right - left) * across, bottom - (bottom - top) * up / (len(decades) - 1)

    def write(x: float, y: float, words: str, anchor: str, colour: str = "black") -> None:
        pen.text((x, y), words, colour, font, anchor)

    for decade in decades:
        _, y = at(first, 10.0**decade)
        pen.line((left, y, right, y), "#dddddd", scale)
        write(left - scale * 8, y, f"{10.0 ** (decade + 2):g} %", "rm")
    for e in found:
        write(at(e.t, 1)[0], bottom + scale * 14, str(e.t), "mt")
    write((left + right) / 2, bottom + scale * 50, "timestep t", "mt")
    write(scale * 10, scale * 10, "how far a step is off, in percent of its noise", "lt")
    write(scale * 490, scale * 60, "- - -  the limit of each", "lm")
    for name, colour, x, draw_mark, values in (
        ("mean", "#1f77b4", 110, pen.ellipse, [(e.t, e.mean, e.mean_limit) for e in found]),
        ("standard deviation", "#c2570c", 250, pen.rectangle, [(e.t, e.sigma, e.sigma_limit) for e in found]),
    ):
        for (x0, y0), (x1, y1) in pairwise(at(t, limit) for t, _, limit in values):
            for a, b in ((0, 0.25), (0.5, 0.75)):
                dash = (x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0))
                pen.line(dash, colour, scale * 2)
        points = [at(t, error) for t, error, _ in values]
        pen.line(points, colour, scale * 2)
        for px, py in [*points, (scale * x, scale * 60)]:
            draw_mark((px - scale * 5, py - scale * 5, px + scale * 5, py + scale * 5), colour)
        write(scale * (x + 14), scale * 60, name, "lm", colour)
    with replacing(path) as temporary:
        image.resize((width, height), Image.Resampling.LANCZOS).save(temporary)
    return path
