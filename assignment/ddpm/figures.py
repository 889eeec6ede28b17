"""Pictures: grids of images with words at their edges, loss curves. Pixel art is enlarged without blur."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from assignment.ddpm.files import replacing

TILE = 64  # pixels across, at least, of an image in a figure
GAP = 4  # pixels of white between images
SIZE, DPI = (5.25, 3.2), 160  # of a plot, in inches; small, so that letters are large enough on a phone


def save_grid(
    images: Tensor,
    path: Path,
    *,
    columns: int | None = None,
    above: Sequence[tuple[float, str]] = (),
    beside: Sequence[str] = (),
) -> None:
    """Write images (N, C, H, W) in [-1, 1] as a grid, row by row.

    Args:
        columns: of the grid; a square one by default
        above: words over the grid, each with the column (0, 1, …, or between) over which it is centred
        beside: words to the left of the rows, one for each
    """
    # Clamped first, as uint8 wraps around: 1.01 could turn from white to black. A noisy x_t goes far beyond ±1.
    tiles = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()  # (N, C, H, W), 0 … 255
    n, _, height, width = tiles.shape
    scale = math.ceil(TILE / max(height, width))
    # whole pixels are repeated, not interpolated; grey is expanded to three equal channels
    tiles = tiles.repeat_interleave(scale, 2).repeat_interleave(scale, 3).expand(-1, 3, -1, -1)  # (N, 3, sH, sW)

    columns = min(n, columns or math.ceil(math.sqrt(n)))
    rows = math.ceil(n / columns)
    step_y, step_x = height * scale + GAP, width * scale + GAP
    canvas = torch.full((3, rows * step_y + GAP, columns * step_x + GAP), 255, dtype=torch.uint8)
    for i, tile in enumerate(tiles):
        y, x = GAP + i // columns * step_y, GAP + i % columns * step_x
        canvas[:, y : y + height * scale, x : x + width * scale] = tile
    grid = Image.fromarray(canvas.permute(1, 2, 0).numpy())  # (3, H, W) → Pillow's (H, W, 3)
    heads = [(GAP / 2 + (column + 0.5) * step_x, words) for column, words in above]
    sides = [(GAP / 2 + (row + 0.5) * step_y, words) for row, words in enumerate(beside)]
    with replacing(path) as temporary:
        _with_words(grid, heads, sides).save(temporary)


def save_rows(rows: dict[str, Image.Image], path: Path) -> None:
    """Write pictures of `save_grid`, all of one size, below each other, with their names on the left."""
    width, height = next(iter(rows.values())).size
    step = height - GAP  # each has white around it; once is enough
    page = Image.new("RGB", (width, len(rows) * step + GAP), "white")
    for i, picture in enumerate(rows.values()):
        page.paste(picture, (0, i * step))
    with replacing(path) as temporary:
        _with_words(page, [], [((i + 0.5) * step + GAP / 2, name) for i, name in enumerate(rows)]).save(temporary)


def _with_words(grid: Image.Image, heads: list[tuple[float, str]], sides: list[tuple[float, str]]) -> Image.Image:
    """The picture with words centred over an x, and words that end left of it at the height of a y."""
    size = max(16, grid.width // 48)  # of letters; wide pictures are shown smaller
    font = ImageFont.load_default(size)
    top = round(1.6 * size) if heads else 0
    left = math.ceil(max(font.getlength(words) for _, words in sides) + size) if sides else 0
    page = Image.new("RGB", (left + grid.width, top + grid.height), "white")
    page.paste(grid, (left, top))
    pen = ImageDraw.Draw(page)
    for x, words in heads:
        pen.text((left + x, top * 0.55), words, "black", font, anchor="mm")
    for y, words in sides:
        pen.text((left - 0.4 * size, top + y), words, "black", font, anchor="rm")
    return page


def label_log(axis: Any) -> None:
    """Plain numbers on a logarithmic axis, only as many as fit."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    subs = (1, 2, 3, 5, 7) if high < 30 * low else (1, 3) if high < 1000 * low else (1,)
    axis.set_major_locator(LogLocator(subs=subs) if high > 3 * low else MaxNLocator(6))  # of a short axis, even steps
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def save_loss_curve(
    log: Sequence[tuple[float, float, float]],
    path: Path,
    *,
    reference: Sequence[tuple[float, float]] = (),
    under_way: tuple[float, float] | None = None,
    title: str = "",
) -> Path:
    """Draw training and validation loss by epoch.

    Args:
        log: (epoch, training loss, validation loss), a row for each epoch
        reference: (epoch, validation loss) of the reference along its training
        under_way: (epoch, training loss) of the epoch that is not finished yet
    """
    from matplotlib.figure import Figure  # slow to import, and not pyplot: no window, no global state

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    # log scale: most of the loss is gone after the first epochs, and networks differ in what remains
    axes = figure.add_subplot(xlabel="epoch", ylabel="mean squared error of the noise", yscale="log")
    training = [(epoch, loss) for epoch, loss, _ in log] + ([under_way] if under_way else [])
    marker = "o" if len(training) < 30 else ""
    axes.plot(*zip(*training, strict=True), color="tab:gray", marker=marker, label="training")
    if log:
        axes.plot([row[0] for row in log], [row[2] for row in log], color="tab:blue", marker=marker, label="validation")
        best = min(log, key=lambda row: row[2])  # its weights are those that were saved
        words = f"lowest: {best[2]:.4f} after epoch {best[0]:.4g}"
        axes.plot(best[0], best[2], "*", color="tab:orange", markersize=13, markeredgecolor="black",
                  markeredgewidth=0.5, label=words)  # fmt: skip
    last = training[-1][0]
    if passed := [point for point in reference if point[0] <= last]:
        axes.plot(*zip(*passed, strict=True), "D", color="tab:green", markersize=5, label="reference's validation")
    axes.set_xlim(0, 1.05 * last)
    label_log(axes.yaxis)
    axes.grid(alpha=0.3)
    axes.legend(
        title=title or None, title_fontsize="medium", fontsize="small", ncols=2, frameon=False,
        loc="lower center", bbox_to_anchor=(0.5, 1.0),
    )  # fmt: skip
    with replacing(path) as temporary:
        figure.savefig(temporary)
    return path
