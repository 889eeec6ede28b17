"""Repeat a grading as its results.json records it, and report whether the verdicts stand.

python -m grader replay results.json SUBMISSION [--check ID]… [--secret-seed FILE] [--output FILE]
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.check_ids import name_of, nearest_of
from grader.errors import GraderFault
from grader.reports.reading import load
from grader.submission.seed import choose_seed
from grader.submission.weights_files import GIVEN, TRAINED, digests

RECORD = "audit.json"  # beside results.json, in a class
CIRCUMSTANCES = ("grader", "torch", "python", "platform", "device")  # verdicts may differ if these do


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader replay", description=__doc__.splitlines()[0], allow_abbrev=False,
        epilog="exit 0: every verdict stands; 1: one differs; 2: the call or a file is wrong; 3: the grader failed",
    )  # fmt: skip
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a results.json")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="the folder that was graded")
    parser.add_argument("--check", action="append", default=[], metavar="ID", help="only this check; may be repeated")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="CONFIG=FILE", help="trained weights, if they have moved"
    )
    parser.add_argument(
        "--secret-seed", metavar="FILE", help="the course's secret, for losses on triples that follow from it"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the findings here, as JSON")
    return parser.parse_args(argv)


def meant(named: str, ids: list[str]) -> list[str]:
    """Which of the checks recorded, by id or as reports print it. Raises UserError, with the nearest, if none is."""
    found = [check_id for check_id in ids if named in (check_id, name_of(check_id))]
    if not found:
        raise UserError(f"--check {named}: not in the results; did you mean {nearest_of(named, ids, 0.0)[0]}?")
    return found


def replay(
    recorded: dict[str, Any], submission: Path, checks: list[str], weights: Sequence[str] = (),
    secret: str | None = None,
) -> list[str]:  # fmt: skip
    """A line for each verdict that differs; none if all stand.

    Raises:
        UserError: it is another submission, or the secret is missing or another one
        GraderFault: the grader itself failed
    """
    from grader.grade import grade

    there = digests(submission)
    for name, digest in recorded["submission"]["sha256"].items():
        if name not in there:
            raise UserError(f"{submission / name}: no such file; expected what was graded")
        if there[name] != digest:
            raise UserError(f"{submission / name} is not the file that was graded (its SHA-256 differs)")
    before = {check["id"]: check for check in recorded["checks"]}
    wanted, about = checks or list(before), recorded["environment"]
    options = [f"--weights={text}" for text in weights or weights_again(recorded, GIVEN)]
    options += [f"--trained={text}" for text in weights_again(recorded, TRAINED)]
    if secret is None:
        for name in wanted:
            if before[name].get("measurements", {}).get("triples_follow_from") == "secret":
                raise UserError(
                    f"{name} was judged on triples that follow from a secret; expected it: --secret-seed FILE"
                )
    else:
        if choose_seed(submission, None, secret).number != about["seed"]:
            raise UserError(f"--secret-seed={secret}: not the secret of this grading, whose seed was another")
        options.append(f"--secret-seed={secret}")
    results = grade(
        submission, levels=sorted({before[name]["level"] for name in wanted}),
        config=Path(about["config_file"]) if about["config_file"] else None, overrides=about["overrides"],
        seed=about["seed"] if secret is None else None, quiet=True, only=wanted.__contains__, options=options,
    )  # fmt: skip
    lines = []
    for check in results.checks:
        was = before[check.id]
        if check.verdict != was["verdict"]:
            lines.append(f"{check.id}: was {was['verdict']}, is {check.verdict}: {check.message or was['message']}")
            limit_was, limit = (kept["measurements"].get("limit") for kept in (was, check.to_json()))
            if limit is not None and limit_was is not None and limit != limit_was:
                lines.append(f"{check.id}: its limit was {limit_was}, is {limit}")
    if lines:
        now = results.environment
        lines += [f"{k} was {about[k]}, is {now[k]}" for k in CIRCUMSTANCES if about.get(k) != now[k]]
    return lines


def weights_again(recorded: dict[str, Any], origin: str) -> list[str]:
    """CONFIG=FILE for the weights that came from there; those that were handed in or found are found again."""
    about = recorded.get("weights", {})
    return [f"{config}={of['path']}" for config, of in about.items() if of["from"] == origin and "path" in of]


def save(output: Path, results: Path, checks: int, lines: list[str]) -> None:
    """Write what a replay found, and for which results.json."""
    about = {"results_sha256": _digest(results), "checks": checks, "differs": lines}
    with replacing(output) as temporary:
        temporary.write_bytes((json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def is_about(record: Path, results: Path) -> bool:
    """Whether a complete record of these results exists."""
    try:
        return json.loads(record.read_text(encoding="utf-8"))["results_sha256"] == _digest(results)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digest(file: Path) -> str:
    """Of what a replay compares: the files, how they were graded, and the verdicts; not of points."""
    results = json.loads(file.read_text(encoding="utf-8"))
    verdicts = [(check["id"], check["verdict"]) for check in results["checks"]]
    about = {name: value for name, value in results["environment"].items() if name != "grading"}
    return hashlib.sha256(json.dumps([results["submission"], about, verdicts]).encode()).hexdigest()


def run(args: argparse.Namespace) -> int:
    recorded = load(args.results)
    ids = [check["id"] for check in recorded["checks"]]
    checks = [check_id for named in args.check for check_id in meant(named, ids)]
    lines = replay(recorded, args.submission, checks, args.weights, args.secret_seed)
    count = len(set(checks)) or len(ids)
    if args.output:
        save(args.output, args.results, count, lines)
    print("\n".join(lines) or f"every verdict stands ({count} {'check' if count == 1 else 'checks'})")
    return 1 if lines else 0


def main(argv: list[str]) -> int:
    """Exit codes: 0 every verdict stands, 1 one differs, 2 the call or a file is wrong, 3 the grader failed."""
    return run_command(lambda: run(parse(argv)), exhausted=GraderFault)
