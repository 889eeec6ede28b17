"""How far apart are copies and independent work? Right submissions beside one another, and beside their own disguises.

    python -m tests.proof.similarity        a minute; writes tests/bench/results/similarity.json

Independent are all right submissions of the bank of one kind, but for RELATED, most of whose lines are the same.
"""

import json
import statistics
import sys
from pathlib import Path

from assignment.ddpm.errors import run_command
from grader.check_ids import OPTIONAL
from grader.similarity.given import given
from grader.similarity.pairs import LIMIT, compare
from tests.bench.results import RESULTS
from tests.proof.bank import KINDS, entries
from tests.support.disguises import DISGUISES

# pairs of the bank of which one is the other with another layer, or in another precision
RELATED = {
    frozenset(pair) for pair in (
        ("actnorm", "own_running_average"), ("each_channel_alone", "one_long_row"),
        ("float64_inside", "network_in_bfloat16"),
    )
}  # fmt: skip
SHOWN = 3  # closest pairs that are named


def measure() -> dict:
    return {file: _of_file(kind, file) for kind, (file, level) in KINDS.items() if level not in OPTIONAL}


def _of_file(kind: str, file: str) -> dict:
    right = {e.file.stem: e.file.read_bytes() for e in entries() if e.right and e.kind == kind}
    known, names = given()[file], sorted(right)
    scores = compare([right[name] for name in names], known)
    pairs = [(score, names[a], names[b]) for (a, b), score in scores.items()]
    apart = sorted((pair for pair in pairs if frozenset(pair[1:]) not in RELATED), reverse=True)
    related = sorted((pair for pair in pairs if frozenset(pair[1:]) in RELATED), reverse=True)
    disguised = {}
    for name, disguise in DISGUISES.items():
        found = []
        for source in right.values():
            changed = disguise(source.decode())
            compile(changed, name, "exec")
            found.append(compare([source, changed.encode()], known)[0, 1])
        disguised[name] = _spread(found) | {"found": sum(score >= LIMIT for score in found), "of": len(found)}
    return {
        "submissions": len(names), "limit": LIMIT,
        "independent": _spread([score for score, *_ in apart]) | {
            "listed": sum(score >= LIMIT for score, *_ in apart), "of": len(apart),
            "closest": [[round(score, 3), *who] for score, *who in apart[:SHOWN]],
        },
        "related": [[round(score, 3), *who] for score, *who in related],
        "disguised": disguised,
    }  # fmt: skip


def _spread(scores: list[float]) -> dict:
    ordered = sorted(scores)
    return {
        "least": round(ordered[0], 3), "median": round(statistics.median(ordered), 3),
        "p99": round(ordered[int(0.99 * (len(ordered) - 1))], 3), "most": round(ordered[-1], 3),
    }  # fmt: skip


def main() -> None:
    path = Path(RESULTS) / "similarity.json"
    path.write_text(json.dumps(measure(), indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    sys.exit(run_command(main))
