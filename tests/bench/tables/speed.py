"""Speed and training runs."""

from tests.bench.__main__ import table
from tests.bench.results import CONFIGS, DEVICES, each, load, where
from tests.bench.runs import LARGE, T4


def runs() -> str:
    lines = ["| run | machine | time | epochs | validation loss |", "|---|---|---:|---:|---:|"]
    measured = set()
    for device in DEVICES:
        result = load(f"runs-{device}.json") or {"runs": []}
        for run in result["runs"]:
            arguments = run["command"].removeprefix("main.py --config configs/")
            measured.add(arguments)
            minutes = (run["seconds"] if device == "cpu" else run["whole_training_seconds"]) / 60
            done = f"{run['epochs']:g} of {run['epochs_wanted']}"
            machine = where(run).split(", torch")[0]
            lines.append(f"| `{arguments}` | {machine} | {minutes:.1f} min | {done} | {run['val_loss']:.4f} |")
    documented = [
        (machine, args, config) for machine, args in (("T4", T4), ("large GPU", LARGE)) for config in CONFIGS[1:]
    ]
    for machine, arguments, config in documented:
        run = f"{config}.yaml --solution {arguments}"
        if run not in measured:
            lines.append(f"| `{run}` | {machine} | not yet measured | | |")
    return "\n".join(lines)


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
    lines = ["| stage of `python -m tests.gpu` | how it ended | seconds | |", "|---|---|---:|---|"]
    for stage in result["stages"]:
        seconds = "" if stage["seconds"] is None else f"{stage['seconds']:.0f}"
        lines.append(f"| {stage['stage']} | {stage['end']} | {seconds} | {stage.get('note', '')} |")
    m = result["machine"]
    return "\n".join([*lines, "", f"{m['device']}, torch {m['torch']}, Python {m['python']}, {m['date']}"])


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
