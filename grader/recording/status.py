"""What is recorded for each reference, and what is missing until its figures are final."""

from pathlib import Path

from assignment.ddpm.config import config_files
from grader.metrics.record import Record, load_record
from grader.recording.measure import Reference

DOCUMENTED = {"fashion_mnist": (100, 200), "cifar10": (100, 200)}  # epochs of the exercise's runs on a T4, a large GPU


def unfinished(reference: Reference) -> str:
    """What this machine can still do for a reference, in a few words; empty if nothing."""
    record = load_record(reference.name)
    if record is None:
        return "not recorded"
    if record.provisional:
        return f"provisional ({record.provisional})"
    if reference.device.type != "cpu" and "gpu" not in record.figures["samples"]:
        return "samples as on a GPU are not recorded"
    return ""


def status() -> str:
    """A few lines per configuration."""
    lines = []
    for file in config_files():
        name = Path(file).stem
        record = load_record(name)
        lines += [name, *(f"  {line}" for line in _about(record, file))]
    return "\n".join(lines)


def _about(record: Record | None, file: str) -> list[str]:
    if record is None:
        return [f"not recorded: make reference CONFIG={file}"]
    figures, chosen = record.figures, record.chosen
    measured = figures["machine"]
    lines = [
        f"provisional: {record.provisional}" if record.provisional else "final",
        f"{len(figures['seeds'])} seeds; validation loss {chosen['loss']:.5f} ± {1.96 * chosen['standard_error']:.5f}, "
        f"measured on {measured['device']}, {measured['date']}",
    ]
    for sitting in chosen["sittings"]:
        m = sitting["machine"]
        lines.append(
            f"epochs {sitting['from_epoch']} to {sitting['to_epoch']}: {m['device']}, torch {m['torch']}, {m['date']}, "
            f"{sitting['seconds'] / 60:.0f} min"
        )
    missing = [] if "gpu" in figures["samples"] else ["samples as on a GPU"]
    if record.provisional:
        missing.append(f"{chosen['epochs_wanted'] - chosen['epochs']:.0f} epochs of the configured training")
    longer = [str(epochs) for epochs in DOCUMENTED.get(figures["config"], ()) if chosen["epochs"] < epochs]
    if longer:
        missing.append(f"the documented GPU runs of {' and '.join(longer)} epochs")
    return [*lines, *(f"missing: {what}" for what in missing)]
