"""The results sent back from a machine with a GPU, as a few files of limited size, and their places here.

Weights are sent in bfloat16, as they are shipped; checkpoints stay. The parts are one tar archive, split.
"""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from assignment.ddpm.errors import UserError

ROOT = Path(__file__).parent.parent.parent
PART = 2**24 - 2**12  # bytes
PARTS = 4
# by priority: files that no longer fit into the parts are left out and reported
WANTED = (
    "outputs/gpu-stages/*.json", "tests/bench/results/*-cuda.json", "outputs/gpu-graded/*/*.json",
    "outputs/gpu-graded/*/trainings/*/*/weights.safetensors", "outputs/gpu-graded/*/trainings/*/*/log.csv",
    "outputs/reference/*/run/*.csv", "outputs/reference/*/run/*.yaml", "outputs/reference/*/sittings.json",
    "outputs/reference/*/milestones.json",
    "outputs/reference/*/run/weights.safetensors", "outputs/gpu-stages/*.log", "outputs/reference/*/samples-*",
    "outputs/reference/*/milestones-*", "outputs/gpu-networks/*", "outputs/reference/*/*.png",
    "outputs/gpu-graded/*/*.png", "outputs/reference/*/epoch-*.safetensors",
)  # fmt: skip


def collect(out: Path) -> list[Path]:
    """Write the parts into `out`; returns them."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("part-*"):
        old.unlink()
    names = [file for pattern in WANTED for file in sorted(ROOT.glob(pattern)) if file.is_file()]
    buffer, left_out = io.BytesIO(), []
    with tarfile.open(fileobj=buffer, mode="w|") as archive:
        for file in names:
            content = _small(file)
            if buffer.tell() + len(content) + 20_000 > PARTS * PART:
                left_out.append(file)
                continue
            entry = tarfile.TarInfo(str(file.relative_to(ROOT)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    for file in left_out:
        print(f"left out, as the parts are full: {file.relative_to(ROOT)}")
    whole = buffer.getvalue()
    parts = [whole[i : i + PART] for i in range(0, len(whole), PART)]
    for i, part in enumerate(parts):
        (out / f"part-{i}").write_bytes(part)
    return sorted(out.glob("part-*"))


def _small(file: Path) -> bytes:
    """A file's content; weights in bfloat16."""
    if file.suffix != ".safetensors":
        return file.read_bytes()
    import safetensors.torch
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        about = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  not a dict
    halved = {name: t.bfloat16() if t.is_floating_point() else t for name, t in tensors.items()}
    return safetensors.torch.save(halved, metadata=about)


def take(folder: Path) -> None:
    """Unpack what came back, record the references, and insert the figures into the pages.

    Raises:
        UserError: the folder has no parts, or one is missing or damaged, or would be written elsewhere
    """
    parts = sorted(folder.glob("part-*"))
    if [part.name for part in parts] != [f"part-{i}" for i in range(len(parts))] or not parts:
        raise UserError(
            f"{folder}: expected part-0, part-1 and so on, got {', '.join(p.name for p in parts) or 'none'}"
        )
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(part.read_bytes() for part in parts))) as archive:
            entries = archive.getmembers()
            for entry in entries:
                if not any(Path(entry.name).match(pattern) for pattern in WANTED) or ".." in Path(entry.name).parts:
                    raise UserError(f"{folder}: {entry.name} is none of the files that go back")
            archive.extractall(ROOT, filter="data")
    except tarfile.TarError as error:
        raise UserError(f"{folder}: not readable as the parts of an archive: {error}") from error
    print(f"{len(entries)} files laid out")
    for name in sorted({Path(e.name).parts[2].rpartition("-seed")[0] for e in entries if "/run/weights" in e.name}):
        _python("-m", "grader.recording", "--config", f"configs/{name}.yaml", "--only", "record", "runtime.device=cpu")
    _python("-m", "tests.bench.report")


def _python(*arguments: str) -> None:
    if subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode:
        raise UserError(f"python {' '.join(arguments)} failed, see above; the files are laid out, so call it again")
