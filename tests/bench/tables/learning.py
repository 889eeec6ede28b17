"""What each idea buys, and what main.py says at the end of a training."""

from collections import Counter

from assignment.ddpm.config import load_config
from assignment.ddpm.endings import explain
from assignment.ddpm.milestones import load_milestones
from assignment.ddpm.symptoms import Symptoms
from grader.grading_config import load_grading
from grader.metrics.record import load_record
from tests.bench.results import CONFIGS, load, where
from tests.conftest import ROOT


def ladder() -> str:
    """Networks from a plain ConvNet to a U-Net, trained alike."""
    lines = [
        "| trained on | network | parameters | training | validation loss | FID | damaged |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    machines = []
    for config in CONFIGS:
        if (result := load(f"ladder-{config}.json")) is None:
            continue
        machines.append(f"{config}: {where(result)}")
        for row in result["rungs"]:
            epochs = f"{row['epochs']:g} epoch{'s' if row['epochs'] != 1 else ''}, {row['steps']:,} steps"
            lines.append(
                f"| {config} | {row['rung']} | {row['parameters']:,} | {epochs}, {row['seconds'] / 60:.1f} min | "
                f"{row['validation_loss']:.4f} | {row['fid']:.1f} | {row['damaged']:.0%} |"
            )
        wanted = load_grading().samples[config]
        record = load_record(config)
        assert record is not None, "which comes with the project"
        limit = record.figures["samples"]["cpu"]["floor"]["fid"]["mean"] + wanted.above_real
        lines.append(
            f"| {config} | *wanted* | | | *below {record.chosen['loss']:.4f} for level 2* | *at most {limit:.1f}* | "
            f"*at most {wanted.damaged:.0%}* |"
        )
    return "\n".join([*lines, "", f"One seed each, on a busy machine: {'; '.join(machines)}."])


LIMITS = {
    "below 0": "never below 0, or never above",
    "beyond ±1": "never beyond ±1",
    "In train mode": "another network in eval mode",
    "run away": "worse than predicting nothing",
    "nothing was learnt": "nothing learnt",
    "the same answer at every t": "the same answer at every t",
    "by heart": "learnt by heart",
    "jumped": "loss jumped up",
    "less than half": "loss below what is possible",
}


def endings() -> str:
    """What main.py says of the right and the wrong networks of the bank."""
    result = load("endings.json")
    if result is None:
        return "Not yet measured."
    digits = load_milestones("digits", load_config(ROOT / "configs" / "digits.yaml"), ROOT)
    said: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    trained: Counter[bool] = Counter()
    for row in result["networks"].values():
        right = not row["caught_by"]
        if "stopped" in row:
            continue
        trained[right] += 1
        says = explain(row["losses"], row["steps"], Symptoms(**row["found"]), digits, "")
        said[right].update(name for key, name in LIMITS.items() if any(key in sentence for sentence in says))
    stopped = sum("stopped" in row for row in result["networks"].values())
    lines = ["| said at the end | of right networks | of wrong ones |", "|---|---:|---:|"]
    for name in LIMITS.values():
        lines.append(f"| {name} | {said[True][name]} of {trained[True]} | {said[False][name]} of {trained[False]} |")
    return "\n".join([
        *lines, "",
        f"After {result['epochs']} epochs of the digits; {stopped} wrong networks stop with an error of their own. "
        f"{where(result)}.",
    ])  # fmt: skip


def guidance() -> str:
    """What guidance buys on the digits, by its strength."""
    result = load("guidance-digits-cpu.json")
    if result is None:
        return "Not yet measured."
    lines = ["| w | images of the wished digit | FID | recall |", "|---:|---:|---:|---:|"]
    lines += [f"| {r['w']:g} | {r['wished']:.1%} | {r['fid']:.1f} | {r['recall']:.2f} |" for r in result["rows"]]
    return "\n".join([
        *lines, "",
        f"The reference on the digits, {result['images']} images in {result['steps']} steps; as many unseen real "
        f"images have an FID of {result['fid_of_real_images']:.1f}.",
    ])  # fmt: skip
