"""CIFAR-10's files, compressed without losing a bit: pixels as lossless WebP, the pickle around them separately."""

import io
import lzma
import pickle
from pathlib import Path

ROWS = COLUMNS = 100  # of images in a mosaic: 10,000, as a batch has


def shrink(batch: Path, folder: Path) -> None:
    """Write `batch` into a folder, as NAME.webp and NAME.rest."""
    import numpy as np
    from PIL import Image

    content = batch.read_bytes()
    pixels = np.asarray(pickle.loads(content, encoding="bytes")[b"data"])  # torchvision's own file, checked by md5
    offset = content.index(pixels.tobytes())
    tiles = pixels.reshape(ROWS, COLUMNS, 3, 32, 32).transpose(0, 3, 1, 4, 2)  # (ROWS, 32, COLUMNS, 32, 3)
    mosaic = Image.fromarray(tiles.reshape(32 * ROWS, 32 * COLUMNS, 3))
    mosaic.save(folder / f"{batch.name}.webp", lossless=True, quality=100, method=4)
    rest = offset.to_bytes(8, "big") + content[:offset] + content[offset + pixels.nbytes :]
    (folder / f"{batch.name}.rest").write_bytes(lzma.compress(rest))


def restore(mosaic: Path, folder: Path) -> None:
    """Write the batch that `shrink` compressed into `folder`, identical bit by bit."""
    import numpy as np
    from PIL import Image

    tiles = np.asarray(Image.open(io.BytesIO(mosaic.read_bytes())).convert("RGB"))
    pixels = tiles.reshape(ROWS, 32, COLUMNS, 32, 3).transpose(0, 2, 4, 1, 3).tobytes()
    rest = lzma.decompress(mosaic.with_suffix(".rest").read_bytes())
    offset, rest = int.from_bytes(rest[:8], "big"), rest[8:]
    (folder / mosaic.stem).write_bytes(rest[:offset] + pixels + rest[offset:])
