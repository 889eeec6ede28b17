"""Grade every submission of the bank: right ones must pass every check, wrong ones fail the one that bears their name.

A wrong one may say what its student has to be told (`Hint:`), and which checks must not mislead (`Waits: … for …`).

    uv run python -m tests.proof.prove [--only TEXT] [--level N]      (make prove)

Prints the kill matrix, writes tests/bench/results/prove-cpu.json (prove-ddim-cpu.json, prove-guidance-cpu.json of
the optional levels), and exits with 1 where the grader is not right.
"""

import argparse
import sys
import time
from collections import Counter

from grader.check_ids import check_ids
from grader.results import WAITS
from tests.proof.bank import KINDS, Entry, entries
from tests.proof.gradings import PROCESSES, in_parallel

WRITTEN = {"prove-cpu.json": (1, 4), "prove-ddim-cpu.json": (5,), "prove-guidance-cpu.json": (6,)}  # of which levels
UNHARMED = ("passed", "not_judged")
SIGNS = {"passed": "·", "failed": "✗", "error": "E", "timeout": "T", "out_of_memory": "M", "not_judged": "–"}


def chosen(only: str, level: int | None = None) -> list[Entry]:
    """The entries asked for."""
    return [entry for entry in entries() if only in entry.name and level in (None, entry.level)]


def problems(entry: Entry, graded: dict) -> list[str]:
    """Where the grader is not right about one entry, a line each."""
    if "fault" in graded:
        return [f"{entry.name}: the grader itself failed: {graded['fault']}"]
    checks = graded["checks"]
    failed = [name for name, check in checks.items() if check["verdict"] != "passed"]
    if entry.right:
        return [f"{entry.name} is right, but {name}: {checks[name]['message']}" for name in failed]
    if entry.caught_by not in checks or checks[entry.caught_by]["verdict"] in UNHARMED:
        return [f"{entry.name} is not caught by {entry.caught_by} but by {', '.join(failed) or 'nothing'}"]
    told = checks[entry.caught_by]["hint"]
    said = [] if entry.hint in told else [f"{entry.name} is not told: {entry.hint}, but: {told}"]
    for name, root in entry.waits:
        is_said = f"{checks[name]['verdict']}: {checks[name]['message']}"
        if not is_said.startswith(f"not_judged: {WAITS}{root}"):
            said.append(f"{entry.name}: {name} does not wait for {root}, it is {is_said}")
    return said


def sign(check: dict | None) -> str:
    """A cell of the matrix; blank where the check does not concern the entry."""
    return SIGNS[check["verdict"]] if check else " "


def matrix(found: list[Entry], graded: dict[str, dict]) -> str:
    """Submission × check, the check that bears a wrong one's name after a bracket."""
    lines = ["· passed  ✗ failed  E error  T timeout  M out of memory  – not judged  [ bears the fault's name", ""]
    for level in sorted({entry.level for entry in found}):
        rows = [entry for entry in found if entry.level == level and "checks" in graded[entry.name]]
        checks = [name for name in check_ids() if any(name in graded[entry.name]["checks"] for entry in rows)]
        lines += [f"{i:>4} {name}" for i, name in enumerate(checks)]
        lines.append(" " * 52 + " ".join(f"{i:>2}" for i in range(len(checks))))
        for entry in rows:
            verdicts = graded[entry.name]["checks"]
            cells = [f"{'[' if n == entry.caught_by else ' '}{sign(verdicts.get(n))}" for n in checks]
            lines.append(f"{entry.name:<52}{' '.join(cells)}")
        lines.append("")
    return "\n".join(lines)


def figures(found: list[Entry], graded: dict[str, dict], misjudged: list[Entry], seconds: float) -> dict:
    """What docs/evidence.md quotes: how many there are, and for each check what it caught."""
    wrong = [entry for entry in found if not entry.right]
    caught = {
        entry.name: [n for n, check in graded[entry.name]["checks"].items() if check["verdict"] not in UNHARMED]
        for entry in wrong
    }
    kills = Counter(name for names in caught.values() for name in names)
    alone = Counter(names[0] for names in caught.values() if len(names) == 1)
    named = Counter(entry.caught_by for entry in wrong)
    counts = {
        f"{'right' if right else 'wrong'}_{kind}": sum(e.right == right and e.kind == kind for e in found)
        for right in (True, False)
        for kind, (_, level) in KINDS.items()
        if any(e.level == level for e in found)
    }
    checks = sorted({name for result in graded.values() for name in result["checks"]})
    table = {n: {"bears_its_name": named[n], "kills": kills[n], "kills_alone": alone[n]} for n in checks}
    failed = sum(entry.right for entry in misjudged)
    return {
        **counts, "survivors": len(misjudged) - failed, "right_ones_failed": failed, "seconds": round(seconds),
        "checks": table,
    }  # fmt: skip


def write_figures(name: str, of: list[Entry], graded: dict[str, dict], misjudged: list[Entry]) -> None:
    import torch

    from tests.bench.results import write

    graded = {entry.name: graded[entry.name] for entry in of}
    seconds = sum(result["seconds"] for result in graded.values()) / PROCESSES
    print("written to", write(name, torch.device("cpu"), figures(of, graded, misjudged, seconds)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.prove", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="entries whose name contains this")
    parser.add_argument("--level", type=int, choices=sorted({level for _, level in KINDS.values()}), help="of entries")
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, for the entries that need it")
    parser.add_argument("--seed", type=int, default=0, help="of the judge's inputs")
    args = parser.parse_args()

    found = chosen(args.only, args.level)
    start = time.perf_counter()
    graded = {result["name"]: result for result in in_parallel([(e.name, args.seed) for e in found], args.data)}
    seconds = time.perf_counter() - start
    print(matrix(found, graded))
    said = {entry: problems(entry, graded[entry.name]) for entry in found}
    misjudged = [entry for entry, lines in said.items() if lines]
    print(*(line for lines in said.values() for line in lines), sep="\n")
    rights = sum(entry.right for entry in found)
    print(f"{rights} right and {len(found) - rights} wrong submissions in {seconds:.0f} s: {len(misjudged)} misjudged")
    for name, levels in WRITTEN.items():
        of = [entry for entry in entries() if entry.level in levels]
        if {entry.name for entry in of if "checks" in graded.get(entry.name, {})} == {entry.name for entry in of}:
            write_figures(name, of, graded, [entry for entry in misjudged if entry in of])
    return 1 if misjudged else 0


if __name__ == "__main__":
    sys.exit(main())
