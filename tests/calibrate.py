"""How often does a right submission fail a check by chance? The right bank × many seeds of the judge.

    uv run python -m tests.calibrate [--seeds 60]      (make calibrate-checks)

Every grading is a line in outputs/calibration.jsonl, so an interrupted run goes on where it stopped; delete the file
after a change of a check. The summary goes to tests/bench/results/calibration-cpu.json.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch

from tests.bank import entries
from tests.bench.results import write
from tests.gradings import in_parallel

RAW = Path("outputs/calibration.jsonl")
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
    "level1.training.overfits": ("loss_of_limit", False),
    "level1.training.predicts_noise": ("correlation", True),
    "level1.training.not_squashed": ("below", True),
    "level4.step.mean": ("worst_of_allowed", False),
    "level4.step.variance": ("worst_relative_error", False),
}


def done() -> list[dict]:
    """The gradings so far; a line cut off by a crash counts as not done."""
    found = []
    for line in RAW.read_text().splitlines() if RAW.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def summary(gradings: list[dict]) -> dict:
    """For each check: gradings, failures, and the measurement that came nearest to a failure, with whose it was."""
    checks: dict[str, dict] = {}
    for grading in gradings:
        for name, check in grading["checks"].items():
            row = checks.setdefault(name, {"gradings": 0, "failures": 0})
            row["gradings"] += 1
            row["failures"] += check["verdict"] != "passed"
            key, large_is_right = WATCHED.get(name, (None, False))
            value = check["measurements"].get(key)
            if value is not None and ("worst" not in row or (value < row["worst"]) == large_is_right):
                row |= {"measurement": key, "worst": value, "of": grading["name"], "seed": grading["seed"]}
    for row in checks.values():
        # 95 % upper bound of the failure rate; with no failures the rule of three
        row["failure_rate_below"] = round(_upper(row["failures"], row["gradings"]), 6)
    suites = {level: [g for g in gradings if _level(g) == level] for level in (1, 4)}
    whole = {
        f"level{level}": {
            "gradings": len(found),
            "with_a_failure": (bad := sum(any(c["verdict"] != "passed" for c in g["checks"].values()) for g in found)),
            "failure_rate_below": round(_upper(bad, len(found)), 6),
        }
        for level, found in suites.items()
        if found
    }
    return {"suites": whole, "checks": checks}


def _level(grading: dict) -> int:
    return next(iter(grading["checks"].values()))["level"]


def _upper(failures: int, n: int) -> float:
    """Clopper–Pearson, one-sided 95 %."""
    from scipy.stats import beta

    return 1.0 if failures >= n else float(beta.ppf(0.95, failures + 1, n - failures))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60, help="of the judge, for each right submission")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    args = parser.parse_args()
    RAW.parent.mkdir(exist_ok=True)
    gradings = done()
    have = {(g["name"], g["seed"]) for g in gradings}
    wanted = [(e.name, s) for s in range(args.first, args.first + args.seeds) for e in entries() if e.right]
    tasks = [task for task in wanted if task not in have]
    try:
        with open(RAW, "a") as file:
            for result in in_parallel(tasks, "data"):
                if "fault" in result:
                    raise RuntimeError(result["fault"])
                kept = {
                    n: {k: c[k] for k in ("level", "verdict", "message", "measurements")}
                    for n, c in result["checks"].items()
                }
                file.write(json.dumps({"name": result["name"], "seed": result["seed"], "checks": kept}) + "\n")
                file.flush()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
    gradings = done()
    result = summary(gradings)
    seeds = [sum(g["name"] == e.name for g in gradings) for e in entries() if e.right]
    result = {"submissions": len(seeds), "seeds_each": [min(seeds), max(seeds)], **result}
    path = write("calibration-cpu.json", torch.device("cpu"), result)
    for name, row in result["checks"].items():
        nearest = f"worst {row['measurement']} {row['worst']:.3g} ({row['of']})" if "worst" in row else ""
        print(f"{name:<36} {row['failures']:>3} of {row['gradings']:<5} {nearest}")
    print("written to", path)
    return 130 if math.prod(seeds) == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
