"""Grade every submission of the bank: right ones must pass every check, wrong ones fail the one that bears their name.

    uv run python -m tests.prove [--only TEXT] [--third N]      (make prove)

Prints the kill matrix, writes tests/bench/results/prove-cpu.json, and exits with 1 where the grader is not right.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from assignment.ddpm.progress import progress_bar
from tests.bank import Entry, entries
from tests.conftest import ROOT

PROCESSES = 2


def chosen(only: str, third: int | None) -> list[Entry]:
    """The entries asked for; a third is every third one, so that it holds some of each kind."""
    found = [entry for entry in entries() if only in entry.name]
    return found if third is None else found[third::3]


def grade_all(found: list[Entry], data: str, seed: int) -> None:
    """In this process: grade one after another, and print a line of JSON for each."""
    from grader.errors import GraderFault
    from grader.grade import grade

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for entry in found:
            start = time.perf_counter()
            path = entry.lay_out(Path(folder) / entry.name)
            try:
                results = grade(
                    path, levels=[entry.level], config=ROOT / "configs" / f"{entry.config}.yaml", quiet=True, seed=seed,
                    overrides=[f"data.root={data}", "runtime.device=cpu"],
                )  # fmt: skip
                about = {check.id: [check.verdict, check.message] for check in results.checks}
            except GraderFault as fault:
                about = {"grader": ["fault", str(fault)]}
            print(json.dumps({"name": entry.name, "seconds": time.perf_counter() - start, "checks": about}), flush=True)


def in_parallel(found: list[Entry], data: str, seed: int) -> list[dict]:
    """A process for each core, as a network of this size gains nothing from a second thread."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.prove", "--data", data, "--seed", str(seed), "--grade"]
    parts = [found[i::PROCESSES] for i in range(PROCESSES)]
    with tempfile.TemporaryDirectory() as folder:
        logs = [open(Path(folder) / f"{i}", "w+") for i in range(PROCESSES)]  # noqa: SIM115  closed below
        running = [
            subprocess.Popen([*command, *(e.name for e in part)], stdout=log, env=env, cwd=ROOT)
            for part, log in zip(parts, logs, strict=True)
        ]
        lines: list[str] = []
        bar = progress_bar(len(found), "submissions", "grading")
        while True:
            over = all(process.poll() is not None for process in running)
            lines = [line for i in range(PROCESSES) for line in (Path(folder) / f"{i}").read_text().splitlines()]
            bar.update(len(lines) - bar.n)
            if over:
                break
            time.sleep(1)
        bar.close()
        for log in logs:
            log.close()
    assert all(process.returncode == 0 for process in running), "a grading process failed"
    return [json.loads(line) for line in lines]


def problems(found: list[Entry], graded: dict[str, dict]) -> list[str]:
    """Where the grader is not right, a line each."""
    wrong = []
    for entry in found:
        checks = graded[entry.name]["checks"]
        failed = [name for name, (verdict, _) in checks.items() if verdict != "passed"]
        if "grader" in checks:
            wrong.append(f"{entry.name}: the grader itself failed: {checks['grader'][1]}")
        elif entry.right and failed:
            wrong += [f"{entry.name} is right, but {name}: {checks[name][1]}" for name in failed]
        elif not entry.right and checks.get(entry.caught_by, ["missing"])[0] in ("passed", "not_judged", "missing"):
            wrong.append(f"{entry.name} is not caught by {entry.caught_by} but by {', '.join(failed) or 'nothing'}")
    return wrong


def matrix(found: list[Entry], graded: dict[str, dict]) -> str:
    """Submission × check: ✗ failed, E error, T timeout, – not judged, blank passed; the check that bears its name in brackets."""
    signs = {"passed": "·", "failed": "✗", "error": "E", "timeout": "T", "out_of_memory": "M", "not_judged": "–"}
    lines = []
    for level in (1, 4):
        rows = [entry for entry in found if entry.level == level]
        if not rows:
            continue
        checks = list(graded[rows[0].name]["checks"])
        lines += [f"level {level}", *(f"  {i:>2} {name}" for i, name in enumerate(checks)), ""]
        lines.append(" " * 52 + " ".join(f"{i:>2}" for i in range(len(checks))))
        for entry in rows:
            verdicts = graded[entry.name]["checks"]
            cells = [signs[verdicts[name][0]] if name in verdicts else "?" for name in checks]
            marked = [f"[{c}" if name == entry.caught_by else f" {c}" for c, name in zip(cells, checks, strict=True)]
            lines.append(f"{entry.name:<52}" + " ".join(marked))
        lines.append("")
    return "\n".join(lines)


def figures(found: list[Entry], graded: dict[str, dict], seconds: float) -> dict:
    kills = Counter(
        name
        for entry in found
        if not entry.right
        for name, (verdict, _) in graded[entry.name]["checks"].items()
        if verdict not in ("passed", "not_judged")
    )
    named = Counter(entry.caught_by for entry in found if not entry.right)
    count = {f"{'right' if right else 'wrong'}_{kind}": sum(e.right == right and e.level == level for e in found)
             for right in (True, False) for kind, level in (("networks", 1), ("samplers", 4))}  # fmt: skip
    alone = Counter(
        failed[0]
        for entry in found
        if not entry.right
        and len(failed := [n for n, (v, _) in graded[entry.name]["checks"].items() if v not in ("passed", "not_judged")]) == 1
    )
    checks = sorted({name for result in graded.values() for name in result["checks"]})
    table = {n: {"bears_its_name": named[n], "kills": kills[n], "alone": alone[n]} for n in checks}
    return {**count, "seconds": round(seconds), "checks": table}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="entries whose name contains this")
    parser.add_argument("--third", type=int, choices=(0, 1, 2), help="every third entry")
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, for the entries that need it")
    parser.add_argument("--seed", type=int, default=0, help="of the judge's inputs")
    parser.add_argument("--grade", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.grade is not None:
        grade_all([entry for entry in entries() if entry.name in args.grade], args.data, args.seed)
        return 0

    found = chosen(args.only, args.third)
    start = time.perf_counter()
    graded = {result["name"]: result for result in in_parallel(found, args.data, args.seed)}
    seconds = time.perf_counter() - start
    print(matrix(found, graded))
    wrong = problems(found, graded)
    print(*wrong, sep="\n")
    rights = sum(entry.right for entry in found)
    print(f"{rights} right and {len(found) - rights} wrong submissions in {seconds:.0f} s; {len(wrong)} misjudged")
    if len(found) == len(entries()) and not wrong:
        from tests.bench.results import write

        print("written to", write("prove-cpu.json", torch.device("cpu"), figures(found, graded, seconds)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
