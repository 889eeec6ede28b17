"""What samples and losses are judged by, and the reference's own results."""

from collections.abc import Sequence

from grader.checks.guided_samples import ABOVE, SURE, VARIED, WISHED
from grader.grading_config import load_grading
from grader.metrics import classifier
from grader.metrics.record import load_record
from tests.bench.results import CONFIGS, load, where

WORDS = {True: "yes", False: "no", None: "either"}
NAMES_OF_TRAININGS = {
    "epochs-20": "reference, 20 epochs of 60", "epochs-5": "reference, 5 epochs of 60",
    "without-labels": "reference, nearly all labels dropped",
    "class means": "no network: the mean of each class, and noise",
    **{f"seed-{seed}": f"reference, seed {seed}" for seed in range(4)},
}  # fmt: skip


def quality() -> str:
    """The reference's results, and the quality of the classifiers that judge samples."""
    lines = [
        "| | validation loss | test loss | samples | FID | KID | FID of real images | trained |",
        "|---|---:|---:|---|---:|---:|---:|---|",
    ]
    for config in CONFIGS:
        if (record := load_record(config)) is None:
            lines.append(f"| {config} | not recorded | | | | | | |")
            continue
        f, chosen = record.figures, record.chosen
        losses = [f"{row['loss']:.5f} ± {1.96 * row['standard_error']:.5f}" for row in (chosen, f["test"])]
        m, seeds = f["machine"], len(f["seeds"])
        done = f"{chosen['epochs']:.3g} of {chosen['epochs_wanted']} epochs"
        if record.provisional:
            done = f"**provisional** ({record.provisional})"
        trained = f"{done}, {seeds} seed{'s' if seeds > 1 else ''}; {m['device']}, {m['date']}"
        for drawn in f["samples"].values():
            fid, kid = ([row[key] for row in drawn["reference"]] for key in ("fid", "kid"))
            of_real = f"{drawn['floor']['fid']['mean']:.2f} ± {drawn['floor']['fid']['sd']:.2f}"
            cells = [f"{drawn['images']} in {drawn['steps']} steps", interval(fid), interval(kid, 3), of_real]
            lines.append(f"| {config} | {' | '.join(losses)} | {' | '.join(cells)} | {trained} |")
    return "\n".join(lines)


def reference() -> str:
    """What students are compared with, in short."""
    lines = [
        "| | validation loss | test loss | samples | their FID | FID of real images |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for config in CONFIGS:
        if (record := load_record(config)) is None:
            continue
        losses = [f"{row['loss']:.5f} ± {1.96 * row['standard_error']:.5f}"
                  for row in (record.chosen, record.figures["test"])]  # fmt: skip
        for drawn in record.figures["samples"].values():
            fid = interval([row["fid"] for row in drawn["reference"]])
            number = f"{drawn['images']:,} in {drawn['steps']} steps"
            lines.append(
                f"| {config} | {' | '.join(losses)} | {number} | {fid} | {drawn['floor']['fid']['mean']:.2f} |"
            )
    return "\n".join(lines)


def interval(values: list[float], digits: int = 1) -> str:
    if not values:
        return "–"
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} … {high}"


def classifiers() -> str:
    lines = ["| classifier of | accuracy on test images | parameters | trained in |", "|---|---:|---:|---|"]
    for config in CONFIGS:
        shipped = classifier.load(config)
        about, parameters = shipped.about, sum(p.numel() for p in shipped.network.parameters())
        lines.append(
            f"| {config} | {about['test_accuracy']:.2%} of {about['test_images']:,} | {parameters:,} | "
            f"{about['epochs']} epochs, {about['training_seconds'] / 60:.0f} min, {about['machine']['device']} |"
        )
    return "\n".join(lines)


def trained() -> str:
    """How often trained networks are misjudged."""
    result = load("quality-digits-cpu.json")
    if result is None:
        return "Not yet measured."
    trainings = sum(k["trainings"] for k in result["kinds"].values())
    lines = [f"{trainings} independent trainings on the digits ({where(result)}):", ""]
    for what, row in result["totals"].items():
        lines.append(
            f"- {what}: {row['misjudged']} of {row['judged']} judgements; with 95 % confidence fewer than "
            f"{row['rate_below']:.1%}."
        )
    return "\n".join(lines)


def kinds() -> str:
    result = load("quality-digits-cpu.json") or {"kinds": {}}
    lines = [
        "| kind | samples should pass | misjudged | loss should win | misjudged "
        "| FID | confidence | rarest class | damaged | copies | loss on new images, × the linear filter's "
        "| least of a training image's, of the usual | loss against the reference's | on new images "
        "| raised by a wrong t |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, k in result["kinds"].items():
        cells = [
            between(k["fid"]), between(k["confidence"]), between(k["least_class"]), between(k["damaged"]),
            between(k["copies"]), between(k.get("denoises")), between(k.get("least_part")),
            between(k["relative_loss"], "+.1%"), between(k.get("on_new_images"), "+.1%"),
            between(k.get("raised_by_wrong_t"), ".1%"),
        ]  # fmt: skip
        lines.append(
            f"| {name} | {WORDS[k['samples_should_pass']]} | {k['samples_misjudged']} of {k['samples_judged']} "
            f"| {WORDS[k['loss_should_pass']]} | {k['loss_misjudged']} of {k['loss_judged']} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def between(pair: list[float] | None, form: str = ".3g") -> str:
    return f"{pair[0]:{form}} … {pair[1]:{form}}" if pair else "–"


def by_t(limits: Sequence[float]) -> str:
    """Of each part of the timesteps; once where they are the same."""
    return f"{limits[0]:g}" if len(set(limits)) == 1 else f"{', '.join(f'{limit:g}' for limit in limits)} by t"


def wanted() -> str:
    """The requirements on samples in configs/grading.yaml."""
    lines = [
        "| samples of | drawn on a CPU | on a GPU | FID at most this much above real images' | confidence at least "
        "| each class at least | any class at most | damaged at most | copies at most "
        "| loss on new images at most, × the best linear filter's |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, of in load_grading().samples.items():
        but = f", {of.missing_classes} excepted" if of.missing_classes else ""
        lines.append(
            f"| {name} | {of.cpu.images:,} in {of.cpu.steps:,} steps | {of.gpu.images:,} in {of.gpu.steps:,} | "
            f"{of.above_real:g} | {of.confidence:.0%} of that on real images | {of.rarest_class:.0%}{but} | "
            f"{of.commonest_class:.0%} | {of.damaged:.0%} | {of.copies:.0%} | "
            f"{by_t(of.denoises)} |"
        )
    return "\n".join(lines)


def guided_trainings() -> str:
    """What trained networks with labels reach in level 6."""
    result = load("trained-guidance-cpu.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| on the digits | loss with labels, of the reference's | a wrong label, in standard errors | of the wished "
        "class, w = 0, 1, 3 | FID, w = 0, 1, 3 | coverage, w = 0, 1, 3 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in result["rows"].items():
        of = row["samples"]
        cells = (
            [f"{row['loss'] / result['reference']:.3f}", f"{row['standard_errors']:.1f}"]
            if "loss" in row
            else ["–"] * 2
        )
        at = [of.get(w) for w in ("0", "1", "3")]
        for key, form in (("share", ".0%"), ("fid", ".1f"), ("coverage", ".2f")):
            cells.append(", ".join(f"{each[key]:{form}}" if each else "–" for each in at))
        lines.append(f"| {NAMES_OF_TRAININGS.get(name, name.replace('-', ' '))} | {' | '.join(cells)} |")
    limits = (f"{1 + ABOVE:.2f}", f"{SURE:g}", f"{WISHED:.0%} of real images' at w = 3",
              f"{result['fid_limit']:.1f} at w = 1", f"{VARIED:g} at w = 1")  # fmt: skip
    lines.append(f"| *limit* | {' | '.join(f'*{each}*' for each in limits)} |")
    drawn = f"{result['images']} samples for each w, in {result['steps']} steps"
    return "\n".join(
        [*lines, "", f"{drawn}; losses on {result['triples']:,} triples of test images ({where(result)})."]
    )
