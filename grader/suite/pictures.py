"""Pictures for the report: samples beside real images, the loss by t, errors of a sampler's steps."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from assignment.ddpm.data import to_float
from assignment.ddpm.figures import DPI, SIZE, save_grid
from assignment.ddpm.files import replacing
from grader.checks.beats_reference import Comparison
from grader.checks.step_errors import StepError
from grader.student.trained_labels import GuidedSamples
from grader.student.training_log import Epoch

SHOWN = 40  # samples, and as many real images
HALF = 8  # columns of each
EACH = 4  # images of each class, for each strength of guidance
SAMPLES_ALT = "A grid: on the left images that your network has drawn, on the right real ones"
ABOVE, BELOW = "tab:red", "tab:green"  # the reference's loss


def save_samples(samples: Tensor, real: Tensor, path: Path) -> Path:
    """Samples (N, C, H, W) in [-1, 1] under `yours`, uint8 images (M, C, H, W) under `real`, white in between."""
    rows = min(SHOWN, len(samples), len(real)) // HALF
    left, right = samples[: rows * HALF], to_float(real[: rows * HALF])
    blank = torch.ones_like(left[:1])
    cells = [torch.cat([left[r * HALF : (r + 1) * HALF], blank, right[r * HALF : (r + 1) * HALF]]) for r in range(rows)]
    heads = [((HALF - 1) / 2, "yours"), (HALF + 1 + (HALF - 1) / 2, "real")]
    save_grid(torch.cat(cells), path, columns=2 * HALF + 1, above=heads)
    return path


def save_loss_by_t(found: Comparison, edges: list[int], path: Path) -> Path:
    """The loss relative to the reference's, for each bin of t, with its standard error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    title = f"yours {found.student:.4f}: {standing(found.relative, found.error)} the reference's {found.reference:.4f}"
    axes = figure.add_subplot(xlabel="timestep t")
    axes.set_title(title, fontsize="small")
    values, errors = zip(*found.bins, strict=True)
    colours = [ABOVE if v > 0 else BELOW for v in values]
    names = [f"{a}–{b - 1}" for a, b in pairwise(edges)]
    axes.bar(names, values, yerr=errors, color=colours, alpha=0.8, capsize=4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda v, _: standing(v) if abs(v) > 1e-9 else "the reference")
    axes.grid(axis="y", alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def standing(relative: float, error: float | None = None) -> str:
    """A relative difference in words: −0.045 is `4.5 % below`."""
    size = f"{100 * abs(relative):.3g}" if error is None else f"{100 * abs(relative):.1f} ± {100 * error:.1f}"
    return f"{size} % {'above' if relative > 0 else 'below'}"


def curve_in_words(log: list[Epoch], reference: Sequence[tuple[float, float]]) -> str:
    """What `save_loss_curve` shows, in words."""
    first, last, best = log[0], log[-1], min(log, key=lambda row: row.validation)
    stood = f"; the reference's was {reference[-1][1]:.4f} after epoch {reference[-1][0]:g}" if reference else ""
    return (
        f"Lines by epoch: the training loss goes from {first.training:.4f} to {last.training:.4f}, the validation loss "
        f"from {first.validation:.4f} to {last.validation:.4f} after epoch {last.epoch:g}, with the least of "
        f"{best.validation:.4f} after epoch {best.epoch:g}{stood}"
    )


def save_guided(found: Mapping[float, GuidedSamples], path: Path) -> Path:
    """A row for each class and EACH columns for each strength of guidance, by w."""
    classes = sorted({int(label) for of in found.values() for label in of.wished.tolist()})
    blocks = []
    for of in found.values():
        block = torch.stack([of.images[of.wished == label][:EACH] for label in classes])  # (K, EACH, C, H, W)
        blocks += [block, torch.ones_like(block[:, :1])]  # white in between
    page = torch.cat(blocks[:-1], dim=1)
    heads = [(k * (EACH + 1) + (EACH - 1) / 2, f"w = {w:g}") for k, w in enumerate(found)]
    save_grid(
        page.flatten(0, 1), path, columns=page.shape[1], above=heads, beside=[str(label) for label in classes]
    )  # fmt: skip
    return path


def save_few_steps(found: dict[str, dict[int, float]], path: Path, *, real: float | None = None) -> Path:
    """FIDs by number of steps, a line for each sampler: sampler → steps → FID; `real`: of unseen real images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="steps", ylabel="FID", xscale="log")
    for (name, fids), style in zip(found.items(), ("o-", "s--"), strict=False):
        axes.plot([*fids], [*fids.values()], style, label=name)
    if real is not None:
        axes.axhline(real, color="black", linewidth=0.8, linestyle=":", label="unseen real images")
    axes.set_xticks([*next(iter(found.values()))], labels=[str(n) for n in next(iter(found.values()))])
    axes.xaxis.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def save_step_errors(found: list[StepError], num_timesteps: int, path: Path) -> Path:
    """Errors of mean and standard deviation by t, on a log scale, each with its limit as a dashed line.

    `num_timesteps` is the T of the schedule that the sampler was given. Drawn with Pillow: importing matplotlib would
    take half as long as judging a sampler.
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
    shown = "every step" if len(found) == num_timesteps else f"{len(found)} of the steps"
    write(
        (left + right) / 2,
        bottom + scale * 50,
        f"timestep t: {shown} of a test schedule with T = {num_timesteps}",
        "mt",
    )
    write(scale * 10, scale * 10, "how far each step of your sampler is off, in percent of its noise", "lt")
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
