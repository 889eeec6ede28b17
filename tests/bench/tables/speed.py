"""Speed and training runs."""

from tests.bench.__main__ import table
from tests.bench.results import CONFIGS, DEVICES, each, load, where
from tests.bench.runs import LARGE, T4

MAIN = "main.py --config configs/"


def runs() -> str:
    """The documented runs that were carried out."""
    lines = ["| run | machine | time | epochs | validation loss |", "|---|---|---:|---:|---:|"]
    for device in DEVICES:
        result = load(f"runs-{device}.json") or {"runs": []}
        for run in result["runs"]:
            arguments = run["command"].removeprefix(MAIN)
            minutes = (run["seconds"] if device == "cpu" else run["whole_training_seconds"]) / 60
            done = f"{run['epochs']:g} of {run['epochs_wanted']}"
            machine = where(run).split(", torch")[0]
            lines.append(f"| `{arguments}` | {machine} | {minutes:.1f} min | {done} | {run['val_loss']:.4f} |")
    return "\n".join(lines)


def runs_to_measure() -> str:
    """Those that wait for a GPU."""
    measured = {run["command"] for run in (load("runs-cuda.json") or {"runs": []})["runs"]}
    missing = [
        f"- `{config}.yaml --solution {arguments}` on a {machine}"
        for machine, arguments in (("T4", T4), ("large GPU", LARGE)) for config in CONFIGS[1:]
        if f"{MAIN}{config}.yaml --solution {arguments}" not in measured
    ]  # fmt: skip
    return "\n".join(["Not yet measured:", "", *missing]) if missing else "All have been measured."


def set_up() -> str:
    """What `make env` downloads and how long it takes, by torch's build."""
    ways = (load("set-up.json") or {"ways": {}})["ways"]
    lines = ["| torch | downloaded | of it CUDA | on disk | time |", "|---|---:|---:|---:|---:|"]
    for build, says in (("cpu", "its build for CPUs"), ("cuda", "with CUDA, as PyPI has it")):
        if (way := ways.get(build)) is None:
            lines.append(f"| {says} | not yet measured | | | |")
            continue
        time = f"{way['seconds'] / 60:.1f} min{', torch from a local disk' if way['from_this_machine'] else ''}"
        sizes = (f"{way[f'megabytes_{what}'] / 1000:.1f} GB" for what in ("downloaded", "of_cuda", "on_disk"))
        lines.append(f"| {says} ({way['torch']}) | {' | '.join(sizes)} | {time} |")
    machines = {f"{way['machine']['device']}, {way['machine']['date']}" for way in ways.values()}
    versions = {way["torch"].partition("+")[0] for way in ways.values()}
    other = "; two versions, as no newer build for CPUs was at hand" if len(versions) > 1 else ""
    return "\n".join([*lines, "", f"From an empty cache; {' and '.join(sorted(machines))}{other}"])


def speed() -> str:
    """Speed against the plain variant, on an idle machine and on a busy one."""
    parts = []
    for _, result in each("") + each("busy-"):
        busy = f"beside {result['beside']} busy processes; " if result["beside"] else ""
        rounds = f"{result['rounds']} rounds of {result['steps']} training steps"
        chosen = " or ".join(result["setting"])
        parts.append(f"{table(result)}\n\n{busy}{where(result)}; {chosen}; median of {rounds}")
    if not any(result["machine"]["type"] == "cuda" for _, result in each("")):
        parts.append("GPU: not yet measured.")
    return "\n\n".join(parts)


def settings() -> str:
    lines = ["| configuration | machine | `auto` chose | measured, relative to the plain way |", "|---|---|---|---|"]
    for config, result in each("settings-"):
        tried = "; ".join(f"{setting}: {says}" for setting, says in result["measured"].items())
        lines.append(f"| {config} | {where(result)} | {result['chosen']} ({result['reason']}) | {tried} |")
    return "\n".join(lines)


def stages() -> str:
    result = load("stages-cuda.json")
    if result is None:
        return "Not yet run on a GPU."
    lines = ["| stage of `python -m tests.gpu` | how it ended | seconds | where | |", "|---|---|---:|---|---|"]
    for stage in result["stages"]:
        seconds = "" if stage["seconds"] is None else f"{stage['seconds']:.0f}"
        m = stage["machine"]
        machine = f"{m['device']}, torch {m['torch']}, {m['date']}"
        lines.append(f"| {stage['stage']} | {stage['end']} | {seconds} | {machine} | {stage.get('note', '')} |")
    return "\n".join(lines)


def ema() -> str:
    parts = []
    for config, result in each("ema-"):
        seeds = result["by_seed"]
        lines = [
            "| decay | " + " | ".join(f"seed {s}" for s in seeds) + " | mean |",
            "|---:|" + "---:|" * (len(seeds) + 1),
        ]
        for decay, mean in result["mean"].items():
            losses = " | ".join(f"{by_decay[decay]:.5f}" for by_decay in seeds.values())
            lines.append(f"| {decay} | {losses} | {mean:.5f} |")
        parts.append("\n".join([*lines, "", f"Validation loss, {config}, {result['epochs']} epochs; {where(result)}"]))
    return "\n\n".join(parts)


def paired() -> str:
    lines = [
        "| | plain pass: standard error | time | paired: standard error | time | triples |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    machine = ""
    for config, result in each("paired-"):
        plain, pair = result["plain"], result["paired"]
        lines.append(
            f"| {config} | {plain['standard_error_of_a_pass']:.2%} | {plain['seconds']:.1f} s | "
            f"{pair['standard_error']:.2%} | {pair['seconds']:.1f} s | {pair['triples']:,} |"
        )
        machine = f"\n\nStandard error of (student − reference), relative to the loss; {where(result)}"
    return "\n".join(lines) + machine if machine else "Not yet measured."
