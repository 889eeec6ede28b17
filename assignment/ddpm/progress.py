"""Progress bars with ETA, quiet when nobody watches."""

import os
import sys

from tqdm import tqdm


def progress_bar(total: int, unit: str, description: str, *, done: int = 0) -> tqdm:
    """A bar on a terminal and in a notebook; in a log file, a line every half minute, or as TQDM_MININTERVAL says."""
    terminal = sys.stderr.isatty()
    watched = terminal or "ipykernel" in sys.modules
    # `initial` lets a resumed run start where it stopped; smoothing averages the speed over the latest updates
    return tqdm(
        total=total, initial=done, unit=f" {unit}", desc=description, unit_scale=True,
        dynamic_ncols=terminal, ncols=None if terminal else 100, smoothing=0.1,
        mininterval=0.2 if watched else float(os.environ.get("TQDM_MININTERVAL", 30)),
    )  # fmt: skip
