"""How right, how hard to cheat and how fast the grader is."""

from tests.bench.results import CONFIGS, load, where

MIB_OF_NOISE = 8  # how much a judge may grow in one grading without a submission causing it


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


def optional_level() -> str:
    """Proof and calibration of levels 5 and 6."""
    return "\n\n".join([
        _optional(5, "ddim", {"ddim": "samplers"}),
        _optional(6, "guidance", {"labels": "networks with labels", "guidance": "guided_eps"}),
    ])  # fmt: skip


def _optional(level: int, name: str, kinds: dict[str, str]) -> str:
    proved, often = load(f"prove-{name}-cpu.json"), load(f"calibration-{name}-cpu.json")
    if proved is None:
        return f"Level {level}: not yet measured."
    right, wrong = (sum(proved[f"{side}_{kind}"] for kind in kinds) for side in ("right", "wrong"))
    each = " and ".join(f"{proved[f'right_{kind}']} {title}" for kind, title in kinds.items())
    about, what = ("", next(iter(kinds.values()))) if len(kinds) == 1 else (f" ({each})", "submissions")
    said = (
        f"Level {level}, which is optional: of {right} right {what}{about} {proved['right_ones_failed']} failed a "
        f"check; of {wrong} wrong ones {proved['survivors']} escaped the check named after their fault "
        f"({where(proved)})."
    )
    if often is None:
        return said
    low, high = often["seeds_each"]
    seeds, row = f"{low}" if low == high else f"{low} to {high}", often["suites"][f"level{level}"]
    return (
        f"{said} With {seeds} judge seeds each, {row['with_a_failure']} of {row['gradings']:,} gradings of right ones "
        f"failed a check; with 95 % confidence fewer than {row['failure_rate_below']:.2%} do ({where(often)})."
    )


def overfit_gpu() -> str:
    """How near networks came to the limit of the overfit run on a GPU, as far as they were run there."""
    result = load("overfit-cuda.json")
    if result is None:
        return "Not yet run on a GPU."
    runs = [run for run in result["runs"] if "fault" not in run]
    right, wrong = ([run for run in runs if run["right"] is kind] for kind in (True, False))
    failed = sum(run["verdicts"]["training.overfits"] != "passed" for run in right)
    worst = max(right, key=lambda run: run["measured"]["loss_of_limit"])
    slowest = max(right, key=lambda run: run["measured"]["steps"])
    return (
        f"Of {len(right)} overfit runs of right networks on a GPU {failed} failed; the closest to the limit was "
        f"{worst['name'].split('/')[-1]} with {worst['measured']['loss_of_limit']:.2g} of it, the slowest "
        f"{slowest['name'].split('/')[-1]} with {slowest['measured']['steps']} steps. Of wrong networks there were "
        f"{len(wrong)}; {len(runs)} of {result['of']} runs were made ({where(result)})."
    )


def kills() -> str:
    result = {"checks": {}}
    for name in ("prove-cpu.json", "prove-ddim-cpu.json", "prove-guidance-cpu.json"):
        result["checks"] |= (load(name) or {"checks": {}})["checks"]
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
    count = f"{result['submissions']} right submissions, each graded with {_seeds(result)} judge seeds"
    lines = [f"{count} ({where(result)}).", ""]
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
    for name, again in result.get("again", {}).items():
        failed, count = (sum(row[k] for row in again["suites"].values()) for k in ("with_a_failure", "gradings"))
        of = f"{failed} of {count:,} gradings failed a check"
        if name.startswith("right/"):
            nearest = again["checks"]["level1.training.overfits"]
            said = f"`{name.split('/')[-1]}` by itself, later than the others: {of}; its overfit run came to "
            said += f"{nearest['worst']:.2g} of the limit at most"
        else:
            each = f"{again['submissions']} right submissions, {_seeds(again)} seeds each"
            said = f"Only the checks that match `{name}`, later ({each}): {of}"
        lines.append(f"- {said} ({where(again)}).")
    return "\n".join(lines)


def _seeds(result: dict) -> str:
    low, high = result["seeds_each"]
    return f"{low}" if low == high else f"{low} to {high}"


def margins() -> str:
    result = {"checks": {}}
    for name in ("calibration-cpu.json", "calibration-ddim-cpu.json", "calibration-guidance-cpu.json"):
        found = load(name) or {"checks": {}}
        result["checks"] |= found["checks"]
        for of, again in found.get("again", {}).items():
            result["checks"] |= {} if of.startswith("right/") else again["checks"]
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


def classes() -> str:
    """A large class, by executor."""
    result = load("classroom.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| class of | executor | slots | whole class | slots busy | one job | its checks "
        "| killed: controllers, gradings, warm processes | lost | graded twice | misjudged | odd hand-ins, not taken |",
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
            f"| {killed['controller']}, {killed['grading']}, {killed['warm process']} "
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


def similarity() -> str:
    """How similar copies and independent work are."""
    result = load("similarity.json")
    if result is None:
        return "Not yet measured."
    lines = [
        "| file | compared | pairs | least | median | 99 % | most | listed |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for file, row in result.items():
        rows = {"independent right ones": row["independent"] | {"found": row["independent"]["listed"]}}
        rows |= {f"with itself, {how}": of for how, of in row["disguised"].items()}
        for what, of in rows.items():
            figures = " | ".join(f"{of[key]:.2f}" for key in ("least", "median", "p99", "most"))
            lines.append(f"| `{file}` | {what} | {of['of']} | {figures} | {of['found']} |")
    named = [f"{a} and {b} ({score:.2f})" for row in result.values() for score, a, b in row["related"]]
    closest = [
        f"{a} and {b} ({score:.2f})" for row in result.values() for score, a, b in row["independent"]["closest"][:1]
    ]
    return "\n".join([
        *lines, "",
        f"Left out of the independent ones, as most of their lines are the same: {', '.join(named)}. "
        f"Closest of the others: {', '.join(closest)}.",
    ])  # fmt: skip


def retrained() -> str:
    """How far apart trainings of the same code end, and copies of weights."""
    result = load("trained-again.json")
    if result is None:
        return "Not yet measured."
    lines = ["| network | trainings | losses | a training is lower than another by, at most |", "|---|---:|---:|---:|"]
    for name, row in result["spread"].items():
        losses = row["losses"]
        lines.append(
            f"| {name} | {row['trainings']} | {min(losses):.4f} … {max(losses):.4f} | {row['largest_gain']:.1%} |"
        )
    lines += ["", "| weights | pairs | distance |", "|---|---:|---:|"]
    for title, rows in (("trained with {}", result["honest"]), ("a copy: {}", result["copies"])):
        for name, values in rows.items():
            lines.append(f"| {title.format(name)} | {len(values)} | {min(values):.2g} … {max(values):.2g} |")
    return "\n".join([*lines, "", where(result)])


def trained_class() -> str:
    """A class that hands in weights, honest and not."""
    result = load("trained-class.json")
    if result is None:
        return "Not yet measured."
    lines = ["| handed in | students | trained again |", "|---|---:|---|"]
    lines += [
        f"| {role.replace('_', ' ')} | {count} | {', '.join(filter(None, result['verdicts'][role])) or '–'} |"
        for role, count in result["roles"].items()
    ]
    said = (
        f"{len(result['unexpected'])} of {result['students']} rows were not as expected. Rescoring all of them after a "
    )
    said += f"change of points took {result['rescored_seconds']:.0f} s."
    return "\n".join([*lines, "", f"{said} {where(result)}"])
