"""Pictures: grids of samples, the forward process, loss curves. Pixel art is enlarged without blur."""

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from assignment.ddpm.files import replacing

TILE = 64  # pixels across, at least, of an image in a figure
GAP = 4  # pixels of white between images


def save_grid(images: Tensor, path: Path, *, columns: int | None = None) -> None:
    """Write images (N, C, H, W) in [-1, 1] as a grid, row by row; square unless `columns` says otherwise."""
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
    with replacing(path) as temporary:
        Image.fromarray(canvas.permute(1, 2, 0).numpy()).save(temporary)  # (3, H, W) → Pillow's (H, W, 3)


def save_loss_curve(log: list[dict[str, float]], path: Path, *, title: str) -> None:
    """Draw training and validation loss by epoch from the rows of log.csv."""
    from matplotlib.figure import Figure  # slow to import, and not pyplot: no window, no global state

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="mean squared error of the noise", title=title, yscale="log")
    # log scale: most of the loss is gone after the first epochs, and networks differ in what remains
    epochs = [row["epoch"] for row in log]
    marker = "o" if len(log) < 30 else ""
    axes.plot(epochs, [row["train_loss"] for row in log], color="tab:gray", marker=marker, label="training")
    axes.plot(epochs, [row["val_loss"] for row in log], color="tab:blue", marker=marker, label="validation")
    best = min(log, key=lambda row: row["val_loss"])  # its weights are those that were saved
    axes.plot(best["epoch"], best["val_loss"], "*", color="tab:orange", markersize=14,
              label=f"kept: {best['val_loss']:.4f} after epoch {best['epoch']:g}")  # fmt: skip
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)
