"""Progress bars with ETA, quiet when nobody watches."""

import sys

from tqdm import tqdm


def progress_bar(total: int, unit: str, description: str, *, done: int = 0) -> tqdm:
    """A bar on a terminal; in a log file, a line every half minute."""
    watched = sys.stderr.isatty()
    # `initial` lets a resumed run start where it stopped; smoothing averages the speed over the latest updates
    return tqdm(
        total=total, initial=done, unit=f" {unit}", desc=description, unit_scale=True,
        dynamic_ncols=watched, mininterval=0.2 if watched else 30, smoothing=0.1,
    )  # fmt: skip
