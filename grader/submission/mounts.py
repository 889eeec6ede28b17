"""Which files a sandbox shows, and what it hides among them: test images, above all. Imports no torch."""

import functools
import os
from collections.abc import Collection, Iterable
from pathlib import Path

# where packages lie below a folder that is shown, and which of their folders and files may be data sets
PACKAGES = tuple(
    f"{above}lib/python3*/*-packages" for above in ("", "local/", "*/", "envs/*/", "*/envs/*/", "pkgs/*/", "*/pkgs/*/")
)
DATA_FOLDERS = ("data", "dataset", "datasets", "sample_data")
DATA = (
    ".csv", ".gz", ".bz2", ".xz", ".zip", ".tar", ".npz", ".npy", ".mat", ".arff", ".pkl", ".pickle", ".parquet",
    ".feather", ".arrow", ".h5", ".hdf5", ".pt", ".safetensors", ".bin", ".dat", ".png", ".jpg", ".jpeg", ".tif",
    ".tiff", ".bmp", ".gif", ".webp", "-ubyte",
)  # fmt: skip


def mounts(shown: Iterable[Path], writable: Iterable[Path], hidden: Iterable[Path]) -> list[str]:
    """Words for bubblewrap that show these files and folders, read-only or writable, where they are.

    Args:
        hidden: not there, though a folder above them be shown; what lies within them and is shown itself stays
    """
    words = {path: ["--ro-bind", str(path), str(path)] for path in shown if path.exists()}
    words |= {path: ["--bind", str(path), str(path)] for path in writable}
    covered = aliases(hidden, words)
    words |= {path: _cover(path) for path in covered}
    found = []
    for path in sorted(words, key=lambda path: (len(path.parts), path)):  # what lies in another comes after it
        for parent in reversed(path.parents[:-1]):  # bubblewrap would create them for the judge's user only
            found += ["--dir", str(parent)] if _is_made_here(parent, words, covered) else []
        found += words[path]
    for path in filter(Path.is_dir, covered):
        found += ["--remount-ro", str(path)]
    return found


def aliases(private: Iterable[Path], shown: Collection[Path]) -> list[Path]:
    """Where these files and folders would appear inside: a link such as /lib shows the same files once more."""
    real = {folder: folder.resolve() for folder in shown if folder.exists()}
    found = {
        folder / path.resolve().relative_to(real[folder])
        for path in private if path.exists() for folder in real if real[folder] in path.resolve().parents
    }  # fmt: skip
    return sorted(found - set(shown))


def _cover(path: Path) -> list[str]:
    """Put nothing in the place of a folder or a file; others may be mounted in the folder afterwards."""
    return ["--perms", "0755", "--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", "/dev/null", str(path)]


def _is_made_here(folder: Path, mounted: Iterable[Path], covered: Collection[Path]) -> bool:
    """Whether a folder is of the sandbox's own file system, and not of one that it shows."""
    above = [path for path in mounted if path in (folder, *folder.parents)]
    nearest = max(above, key=lambda path: len(path.parts), default=None)
    return nearest is None or (nearest in covered and nearest != folder)


@functools.cache
def data_sets(*folders: Path) -> tuple[Path, ...]:
    """Folders with data sets in the packages below: scikit-learn has the digits. No submission may see test images."""
    packages = {found.resolve() for folder in folders for pattern in PACKAGES for found in folder.glob(pattern)}
    packages |= {folder.resolve() for folder in folders if folder.name.endswith("-packages")}
    found: list[Path] = []
    for package in (package for folder in sorted(packages) for package in _folders_in(folder)):
        inside = _folders_in(package)
        named = [folder for folder in inside if folder.name in DATA_FOLDERS]
        named += [folder for each in inside if each not in named for folder in _folders_in(each, DATA_FOLDERS)]
        found += filter(_holds_data, named)
    return tuple(found)


def _folders_in(folder: Path, names: Collection[str] = ()) -> list[Path]:
    """Those directly in a folder, of these names or of any; none if it can't be read. Reads the file system once."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path) for entry in entries if (not names or entry.name in names) and entry.is_dir()
            ]  # fmt: skip
    except OSError:
        return []


def _holds_data(folder: Path) -> bool:
    """Whether there is a file in it that may be a data set; folders of such a name are often code alone."""
    return any(name.lower().endswith(DATA) for _, _, names in os.walk(folder) for name in names)
