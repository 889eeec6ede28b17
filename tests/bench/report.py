"""The figures in the pages, made from the result files: `python -m tests.bench.report` writes them in.

They stand between the markers <!-- name --> and <!-- /name -->. A test compares every page with what this would write,
so no figure in them can go stale.
"""

from pathlib import Path

from grader.grading_config import load_grading
from grader.metrics import classifier
from grader.metrics.record import load_record
from tests.bench.__main__ import table
from tests.bench.evidence import cifar_sets, exceptions, false_fails, fashion_sets, gaps, verdicts
from tests.bench.results import load, where
from tests.bench.runs import LARGE, T4

PAGES = (*sorted(Path().glob("*.md")), *sorted(Path("docs").glob("*.md")))
CONFIGS = ("digits", "fashion_mnist", "cifar10")
DEVICES = ("cpu", "cuda")
MIB_OF_NOISE = 8  # how much a judge may grow in one grading without a submission causing it
WORDS = {True: "yes", False: "no", None: "either"}


def each(kind: str) -> list[tuple[str, dict]]:
    """The existing result files of a kind, by configuration and device."""
    names = [(config, f"{kind}{config}-{device}.json") for config in CONFIGS for device in DEVICES]
    return [(config, result) for config, name in names if (result := load(name))]


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


def proof() -> str:
    result = load("prove-cpu.json")
    if result is None:
        return "Not yet measured."
    wrong = result["wrong_networks"] + result["wrong_samplers"]
    right = result["right_networks"] + result["right_samplers"]
    return (
        f"Of {right} right submissions ({result['right_networks']} networks and {result['right_samplers']} samplers), "
        f"{result['right_ones_failed']} failed a check. Of {wrong} wrong ones ({result['wrong_networks']} networks and "
        f"{result['wrong_samplers']} samplers), {result['survivors']} escaped the check named after their fault. "
        f"Grading all of them took {result['seconds'] / 60:.1f} minutes ({where(result)})."
    )


def kills() -> str:
    result = load("prove-cpu.json") or {"checks": {}}
    lines = [
        "| check | wrong submissions named after it | caught by it | caught by it alone |",
        "|---|---:|---:|---:|",
    ]
    for name, row in result["checks"].items():
        lines.append(f"| `{name}` | {row['bears_its_name']} | {row['kills']} | {row['kills_alone']} |")
    return "\n".join(lines)


def calibration() -> str:
    result = load("calibration-cpu.json")
    if result is None:
        return "Not yet measured."
    low, high = result["seeds_each"]
    each = f"{low}" if low == high else f"{low} to {high}"
    lines = [f"{result['submissions']} right submissions, each graded with {each} judge seeds ({where(result)}).", ""]
    for level, row in result["suites"].items():
        lines.append(
            f"- {level.replace('level', 'level ')}: {row['with_a_failure']} of {row['gradings']:,} gradings failed a "
            f"check; with 95 % confidence fewer than {row['failure_rate_below']:.2%} do."
        )
    if beside := load("calibration-cpu-beside-8.json"):
        failed, count = (sum(row[k] for row in beside["suites"].values()) for k in ("with_a_failure", "gradings"))
        lines.append(
            f"- Beside {beside['beside']} busy processes on {beside['machine']['cores']} cores: {failed} of {count:,} "
            f"gradings failed a check, {beside['second_tries']} needed a second try."
        )
    return "\n".join(lines)


def margins() -> str:
    result = load("calibration-cpu.json") or {"checks": {}}
    lines = ["| check | closest to failing | submission | failures |", "|---|---:|---|---:|"]
    for name, row in result["checks"].items():
        if "worst" in row:
            nearest = f"{row['measurement'].replace('_', ' ')} {row['worst']:.3g}"
            who = row["of"].split("/")[-1]
            lines.append(f"| `{name}` | {nearest} | {who} | {row['failures']} of {row['gradings']:,} |")
    return "\n".join(lines)


def grading() -> str:
    lines = ["| | import torch | `pytest -k shapes` | level 1 | level 4 |", "|---|---:|---:|---:|---:|"]
    machine = ""
    for config in CONFIGS:
        if result := load(f"grader-{config}-cpu.json"):
            cells = [
                f"{result['seconds'][what]:.1f} s"
                for what in ("import torch", "pytest -k shapes", "level 1", "level 4")
            ]
            lines.append(f"| {config}, U-Net of {result['submission_parameters']:,} parameters | {' | '.join(cells)} |")
            machine = f"\n\nMedian of {result['rounds']} rounds; {where(result)}"
    return "\n".join(lines) + machine if machine else "Not yet measured."


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
        "| FID | confidence | rarest class | damaged | copies | loss against the reference's |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, k in result["kinds"].items():
        cells = [
            between(k["fid"]), between(k["confidence"]), between(k["least_class"]), between(k["damaged"]),
            between(k["copies"]), between(k["relative_loss"], "+.1%"),
        ]  # fmt: skip
        lines.append(
            f"| {name} | {WORDS[k['samples_should_pass']]} | {k['samples_misjudged']} of {k['samples_judged']} "
            f"| {WORDS[k['loss_should_pass']]} | {k['loss_misjudged']} of {k['loss_judged']} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def between(pair: list[float] | None, form: str = ".3g") -> str:
    return f"{pair[0]:{form}} … {pair[1]:{form}}" if pair else "–"


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


def attacks() -> str:
    """Hostile submissions, with the sandbox and without: what each gained, what others lost, and what it left."""
    result = load("hostile.json")
    if result is None:
        return "Not yet measured."
    title = {"sandbox": "with the sandbox", "landlock": "with Landlock", "plain": "without"}
    ways = [way for way in title if way in result]
    head = ["attack", *(f"{title[way]}: {what}" for way in ways for what in ("verdict", "gained, lost", "left"))]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in result[ways[0]]:
        cells = []
        for row in (result[way][name] for way in ways):
            left = [f"{row['processes']} processes"] * bool(row["processes"]) + row["files"]
            left += [f"{row['grown_mib']} MiB"] * (row["grown_mib"] > MIB_OF_NOISE)
            verdict = f"{row['verdict']} at {row['check'].removeprefix('level1.')}"
            cells += [verdict, f"{len(row['gained'])}, {len(row['lost'])}", ", ".join(left) or "–"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", where(result)])


def held() -> str:
    """The same in two sentences, with the cost of the sandbox and how long everything held."""
    result = load("hostile.json")
    if result is None:
        return "Not yet measured."
    said = []
    ways = {"sandbox": "with the sandbox", "landlock": "with Landlock in its place", "plain": "with neither"}
    for way, title in ways.items():
        if rows := [row for name, row in result.get(way, {}).items() if name != "honest"]:
            gained, lost = (sum(bool(row[what]) for row in rows) for what in ("gained", "lost"))
            left = sum(bool(row["processes"] or row["files"]) for row in rows)
            said.append(
                f"{title}, {gained} of {len(rows)} gained a check, {lost} kept a check from being "
                f"judged, and {left} left a file or a process behind"
            )
    text = f"Of the hostile submissions, {'; '.join(said)} ({where(result)})."
    if cost := load("sandbox.json"):
        text += (
            f" The sandbox costs {1000 * cost['first_worker']['extra']:.0f} ms per submission (median of "
            f"{cost['rounds']} rounds)."
        )
    if endured := load("endurance.json"):
        killed = endured.get("judge killed", 0), endured.get("worker killed", 0)
        text += (
            f" In {endured['graded']} gradings in a row, {killed[0]} judges and {killed[1]} workers were killed with "
            "kill -9 at random moments: no result was wrong or broken, and no process and "
            f"{len(endured['folders_left'])} folders were left behind."
        )
    return text


def wanted() -> str:
    """The requirements on samples in configs/grading.yaml."""
    lines = [
        "| samples of | drawn on a CPU | on a GPU | FID at most this much above real images' | confidence at least "
        "| each class at least | any class at most | damaged at most | copies at most |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, of in load_grading().samples.items():
        but = f", {of.missing_classes} excepted" if of.missing_classes else ""
        lines.append(
            f"| {name} | {of.cpu.images:,} in {of.cpu.steps:,} steps | {of.gpu.images:,} in {of.gpu.steps:,} | "
            f"{of.above_real:g} | {of.confidence:.0%} of that on real images | {of.rarest_class:.0%}{but} | "
            f"{of.commonest_class:.0%} | {of.damaged:.0%} | {of.copies:.0%} |"
        )
    return "\n".join(lines)


def classes() -> str:
    """A large class, by executor."""
    result = load("classroom.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| class of | executor | slots | whole class | slots busy | one job | its checks "
        "| killed: controllers, graders, jobs | lost | graded twice | misjudged | odd hand-ins, not taken |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in result.items():
        if name == "machine":
            continue
        half, killed, not_taken = row["undisturbed"], row["killed"], row.get("not_taken", 0)
        lost, wrong = row["count"] - not_taken - row["graded"], [*row["misjudged"], *row.get("wrong_rows", [])]
        lines.append(
            f"| {row['count']} | {name} | {row['slots']} | {row['wall_seconds'] / 60:.1f} min "
            f"| {half['busy_share']:.0%} | {half['job_seconds']:.1f} s | {half['checks_seconds']:.1f} s "
            f"| {killed['controller']}, {killed['grading']}, {killed['job']} "
            f"| {lost} | {len(row['graded_twice'])} | {len(wrong)} | {row.get('odd', 0)}, {not_taken} |"
        )
    about = (
        "A mix of right, wrong and hostile submissions, on the digits, untrained. Busy slots and the medians of a job "
        "are from the first half of the class; the kills took place in the second. Odd hand-ins are archives, clones, "
        "loose files and the like; some can't be taken, and are rows with a problem. "
    )
    return "\n".join([*lines, "", about + where(result)])


def container() -> str:
    """What fits into Gradescope's limits."""
    result = load("gradescope.json")
    if result is None:
        return "Not yet measured."
    most = max(run["score"] or 0 for run in result["runs"])
    said = []
    for run in result["runs"]:
        within = f"{run['mib']} MiB"
        if run["killed"]:
            said.append(f"{within}: out of memory ({run['killed']} killed)")
        else:
            said.append(f"{within}: {run['seconds']:.0f} s, {run['score']:g} of {most:g} points")
    kind = "CUDA" if result["cuda_build"] else "CPUs"
    return (
        f"On {result['processor_share']:g} of a processor, with a U-Net of the bank and PyTorch for {kind}: "
        f"{'; '.join(said)} (`python -m tests.proof.container`; {where(result)})."
    )


MAKERS = (
    runs, speed, settings, stages, ema, proof, kills, calibration, margins, grading, quality, classifiers, trained,
    kinds, paired, attacks, held, wanted, verdicts, exceptions, gaps, false_fails, fashion_sets, cifar_sets,
    classes, container,
)  # fmt: skip


def fill(text: str) -> str:
    """Replace the text between the markers <!-- name --> and <!-- /name -->."""
    for make in MAKERS:
        start, end = f"<!-- {make.__name__} -->", f"<!-- /{make.__name__} -->"
        if start in text:
            before, _, rest = text.partition(start)
            _, _, after = rest.partition(end)
            text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text()))
