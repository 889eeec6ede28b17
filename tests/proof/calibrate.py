"""How often does a right submission fail a check by chance? The right bank × many seeds of the judge.

    uv run python -m tests.proof.calibrate [--seeds 60] [--beside 8] [--level 5] [--again NAME] [--checks PATTERN]

Every grading is a line in outputs/calibration/checks.jsonl, so an interrupted run resumes where it stopped;
delete the file after changing a check. The summary goes to tests/bench/results/calibration-cpu.json. With `--beside 8`
eight other processes compete for the cores, to see whether a busy machine costs points; with `--level 5` or
`--level 6` the right submissions of that optional level are graded. Both files are others then. After a change that
concerns one submission, or a few checks, `--again NAME` grades that one alone, and `--checks PATTERN` the checks whose
IDs match, such as `level4` or `needs_t|registered`; what they find is added to the summary.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import torch

from grader.check_ids import OPTIONAL, needs_training
from grader.grading_config import load_grading
from tests.bench.results import load, machine, write
from tests.proof.bank import entries
from tests.proof.gradings import in_parallel
from tests.support.busy import busy_processes

RAW = Path("outputs/calibration")
NAMES = {5: "ddim", 6: "guidance"}  # of the files of optional levels
# of a check: what it measures, and whether a right submission has it large
WATCHED = {
    "level1.timestep.uses_every_t": ("largest_difference", False),
    "level1.timestep.depends_on_t": ("difference", True),
    "level1.timestep.whole_range": ("smallest_difference", True),
    "level1.batch.samples_independent": ("largest_difference", False),
    "level1.batch.order": ("largest_difference", False),
    "level1.behaviour.deterministic": ("difference", False),
    "level1.behaviour.no_hidden_state": ("difference", False),
    "level1.training.registered": ("difference", False),
    "level1.image.channels": ("own_pixel", True),
    "level1.image.neighbours": ("times_as_much", False),
    "level1.training.gradient_flow": ("gradient_off", False),
    "level1.training.needs_t": ("times_needed", True),
    "level1.training.overfits": ("loss_of_limit", False),
    "level1.training.predicts_noise": ("correlation", True),
    "level1.training.not_squashed": ("below", True),
    "level4.step.mean": ("worst_of_allowed", False),
    "level4.step.variance": ("worst_of_allowed", False),
    "level4.end_to_end": ("worst_of_allowed", False),
    "level5.step.mean": ("worst_of_allowed", False),
    "level5.step.variance": ("worst_of_allowed", False),
    "level5.step.last_step": ("off", False),
    "level5.ddpm": ("worst_of_allowed", False),
    "level5.inversion": ("off", False),
    "level5.end_to_end": ("worst_of_allowed", False),
    "level6.labels.none_is_no_class": ("largest_difference", False),
    "level6.labels.every_label": ("smallest_difference", True),
    "level6.labels.own_label": ("largest_difference", False),
    "level6.labels.names": ("standard_deviations", False),
    "level6.training.registered": ("difference", False),
    "level6.training.learns_labels": ("worst", False),
    "level6.guidance.unconditional": ("off", False),
    "level6.guidance.conditional": ("off", False),
    "level6.guidance.affine": ("off", False),
    "level6.guidance.null_label": ("off", False),
    "level6.guidance.own_label": ("off", False),
}


def read_lines(file: Path) -> list[dict]:
    """What was written so far; a line cut off by a crash counts as not done."""
    found = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def compact(result: dict) -> dict:
    """What is kept of a grading: what failed, and the watched measurements."""
    checks = result["checks"]
    return {
        "name": result["name"],
        "seed": result["seed"],
        "level": next(iter(checks.values()))["level"],
        "slowdown": result["slowdown"],
        "failed": {name: check["message"] for name, check in checks.items() if check["verdict"] != "passed"},
        "measured": {n: check["measurements"].get(WATCHED[n][0]) for n, check in checks.items() if n in WATCHED},
    }


def summary(gradings: list[dict], pattern: str) -> dict:
    """For each check that matches: gradings, failures, and what came nearest to a failure, with whose it was."""
    suites, checks, bank = {}, {}, {entry.name: entry for entry in entries()}
    for level in sorted({g["level"] for g in gradings}):
        found = [g for g in gradings if g["level"] == level]
        bad = sum(bool(g["failed"]) for g in found)
        suites[f"level{level}"] = {
            "gradings": len(found), "with_a_failure": bad, "failure_rate_below": round(upper(bad, len(found)), 6),
        }  # fmt: skip
        untrained = [n for n in load_grading().points if n.startswith(f"level{level}.") and not needs_training(n)]
        for name in (n for n in untrained if re.search(pattern, n)):
            judged = [g for g in found if g["name"] not in bank or bank[g["name"]].concerns(name)]
            failures = sum(name in g["failed"] for g in judged)
            row = {
                "gradings": len(judged),
                "failures": failures,
                "failure_rate_below": round(upper(failures, len(judged)), 6),
            }
            measured = [g for g in judged if g["measured"].get(name) is not None]
            if measured:
                key, large_is_right = WATCHED[name]
                worst = (min if large_is_right else max)(measured, key=lambda g: g["measured"][name])
                row |= {
                    "measurement": key,
                    "worst": worst["measured"][name],
                    "of": worst["name"],
                    "seed": worst["seed"],
                }
            checks[name] = row
    return {"suites": suites, "checks": checks}


def upper(failures: int, n: int) -> float:
    """Clopper–Pearson, one-sided 95 %."""
    from scipy.stats import beta

    return 1.0 if failures >= n else float(beta.ppf(0.95, failures + 1, n - failures))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60, help="of the judge, for each right submission")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--beside", type=int, default=0, metavar="N", help="busy processes that compete for the cores")
    parser.add_argument("--level", type=int, choices=OPTIONAL, help="an optional one; default: all others")
    parser.add_argument("--again", metavar="NAME", help="only this submission, beside what is in the summary")
    parser.add_argument("--checks", metavar="PATTERN", default="", help="only these, beside what is in the summary")
    args = parser.parse_args()
    torch.set_num_threads(1)  # as each grading has; the summary says so
    busy = f"-beside-{args.beside}" if args.beside else ""
    of = f"-{NAMES[args.level]}" if args.level else ""
    right = [e for e in entries() if e.right and (e.level == args.level if args.level else e.level not in OPTIONAL)]
    if args.again and not (right := [e for e in right if e.name == args.again]):
        parser.error(f"--again {args.again}: no such right submission; expected one such as right/networks/mixer")
    asked = [n for n in load_grading().points if re.search(args.checks, n) and not needs_training(n)]
    right = [e for e in right if any(n.startswith(f"level{e.level}.") for n in asked)]
    if not right:
        parser.error(f"--checks {args.checks}: no check that they are asked; expected a part of an ID, such as needs_t")
    part = ", ".join(name for name in (args.again, args.checks) if name)
    raw = RAW / f"checks{of}{busy}{'-' * bool(part)}{re.sub(r'[^a-z0-9_]+', '-', part)}.jsonl"
    gradings = read_lines(raw)
    have = {(g["name"], g["seed"]) for g in gradings}
    wanted = [(e.name, s) for s in range(args.first, args.first + args.seeds) for e in right]
    tasks = [task for task in wanted if task not in have]
    try:
        RAW.mkdir(parents=True, exist_ok=True)
        with open(raw, "a") as file, busy_processes(args.beside):
            for result in in_parallel(tasks, "data", args.checks):
                if "fault" in result:
                    raise RuntimeError(result["fault"])
                file.write(json.dumps(compact(result)) + "\n")
                file.flush()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
    gradings = read_lines(raw)
    result = summary(gradings, args.checks)
    seeds = [sum(g["name"] == e.name for g in gradings) for e in right]
    result = {"submissions": len(seeds), "seeds_each": [min(seeds), max(seeds)], **result}
    if busy:
        slowdowns = [g["slowdown"] for g in gradings if g["slowdown"] > 1]
        result |= {"beside": args.beside, "second_tries": len(slowdowns), "slowest": max(slowdowns, default=1.0)}
    file = f"calibration{of}-cpu{busy}.json"
    rows = result["checks"]
    if part:
        whole = load(file) or {}
        again = {part: {"machine": machine(torch.device("cpu")), **result}}
        result = {**whole, "again": whole.get("again", {}) | again}  # with its own machine
    path = write(file, torch.device("cpu"), result)
    for name, row in rows.items():
        nearest = f"worst {row['measurement']} {row['worst']:.3g} ({row['of']})" if "worst" in row else ""
        print(f"{name:<36} {row['failures']:>3} of {row['gradings']:<5} {nearest}")
    print("written to", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
