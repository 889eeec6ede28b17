"""Are trained networks judged rightly? Independent trainings on the digits, right and wrong, through levels 1 to 3.

    uv run python -m tests.proof.calibrate_quality [--seeds 3]      (make calibrate-quality)

Every training is kept in outputs/calibration/, and every judgement is a line in judgements.jsonl there, so an
interrupted run resumes where it stopped; delete that file after a change of a check. The summary goes to
tests/bench/results/.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from assignment.ddpm.progress import progress_bar
from tests.bench.results import write
from tests.conftest import ROOT
from tests.proof.calibrate import read_lines, upper
from tests.proof.trained import KINDS, judge, make

FOLDER = Path("outputs/calibration")
RAW = FOLDER / "judgements.jsonl"
DRAWS = 3  # seeds of the judge for each training
PROCESSES = 2


def task(name: str, seed: int) -> None:
    """Train one and judge it with several seeds; a line of JSON each, on standard output."""
    torch.set_num_threads(1)
    folder = FOLDER / f"{name}-{seed}"
    weights = folder / "run" / "weights.safetensors"
    if not (folder / "trained").exists():
        with open(os.devnull, "w") as nowhere:
            stdout, sys.stdout = sys.stdout, nowhere
            weights = make(KINDS[name], folder, seed)
            sys.stdout = stdout
        (folder / "trained").touch()
    for draw in range(DRAWS):
        checks = judge(weights, folder / "figures", seed=1000 + draw, levels=(1, 2) if draw == 0 else (1,)).checks
        print(json.dumps({
            "kind": name, "seed": seed, "draw": draw,
            "verdicts": {c.id: c.verdict for c in checks},
            "measured": {c.id: c.to_json()["measurements"] for c in checks},
        }), flush=True)  # fmt: skip


def passed(row: dict, what: str) -> bool:
    """Whether all of the claims about `samples` or the `loss` hold in a judgement."""
    mine = "level1." if what == "samples" else "level2."
    return all(verdict == "passed" for name, verdict in row["verdicts"].items() if name.startswith(mine))


def summary(rows: list[dict]) -> dict:
    """For each kind: trainings, judgements, and how many of them came out wrong."""
    kinds = {}
    for name, kind in KINDS.items():
        mine = [row for row in rows if row["kind"] == name]
        if not mine:
            continue
        with_loss = [row for row in mine if row["draw"] == 0]
        wrong = [row for row in mine if kind.samples is not None and passed(row, "samples") != kind.samples]
        wrong_loss = [row for row in with_loss if passed(row, "loss") != kind.loss]
        quality = [row["measured"]["level1.samples.fid"] for row in mine]
        loss = [row["measured"]["level2.loss.beats_reference"] for row in with_loss]
        kinds[name] = {
            "samples_should_pass": kind.samples, "loss_should_pass": kind.loss,
            "trainings": len({row["seed"] for row in mine}),
            "samples_judged": len(mine), "samples_misjudged": len(wrong),
            "loss_judged": len(with_loss), "loss_misjudged": len(wrong_loss),
            "fid": spread(q.get("fid") for q in quality), "confidence": spread(q.get("confidence") for q in quality),
            "damaged": spread(q.get("damaged") for q in quality), "copies": spread(q.get("copies") for q in quality),
            "denoises": spread(_measured(mine, "level1.samples.denoises", "loss_of_linear")),
            "least_part": spread(_measured(mine, "level1.samples.new", "least_part")),
            "least_class": spread(min(q["classes"]) for q in quality if "classes" in q),
            "relative_loss": spread(m.get("relative_difference") for m in loss),
            "standard_error": spread(m.get("standard_error") for m in loss),
            "on_new_images": spread(m.get("on_new_images") for m in loss),
            "raised_by_wrong_t": spread(_measured(with_loss, "level2.trained.uses_t", "raised_by_wrong_t")),
        }  # fmt: skip
    totals = {}
    for what in ("samples", "loss"):
        for should in (True, False):
            mine = [k for k in kinds.values() if k[f"{what}_should_pass"] == should]
            judged, wrong = (sum(k[f"{what}_{of}"] for k in mine) for of in ("judged", "misjudged"))
            totals[f"{what}: {'false fails' if should else 'false passes'}"] = {
                "judged": judged, "misjudged": wrong, "rate_below": round(upper(wrong, judged), 6),
            }  # fmt: skip
    return {"totals": totals, "kinds": kinds}


def _measured(rows: list[dict], check: str, name: str) -> Iterator[object]:
    return (row["measured"].get(check, {}).get(name) for row in rows)


def spread(values: object) -> list[float] | None:
    found = [v for v in values if isinstance(v, float)]
    return [float(f"{min(found):.4g}"), float(f"{max(found):.4g}")] if found else None


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proof.calibrate_quality", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--task", nargs=2, metavar=("KIND", "SEED"), help="do only this, here")
    args = parser.parse_args()
    if args.task:
        task(args.task[0], int(args.task[1]))
        return 0
    rows = read_lines(RAW)
    have = {(row["kind"], row["seed"]) for row in rows if row["draw"] == DRAWS - 1}
    tasks = [(name, seed) for seed in range(args.seeds) for name in KINDS if (name, seed) not in have]
    try:
        run(tasks)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
    rows = [row for row in read_lines(RAW) if row["seed"] < args.seeds]
    path = write("quality-digits-cpu.json", torch.device("cpu"), summary(rows))
    print(json.dumps(json.loads(path.read_text())["totals"], indent=1), "\nwritten to", path)
    return 0


def run(tasks: list[tuple[str, int]]) -> None:
    """Several at a time; a task's lines are kept once it is whole."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.proof.calibrate_quality", "--task"]
    waiting, running = list(tasks), []
    with progress_bar(len(tasks), "trainings", "judging") as bar:
        try:
            while waiting or running:
                while waiting and len(running) < PROCESSES:
                    name, seed = waiting.pop(0)
                    running.append(subprocess.Popen(
                        [*command, name, str(seed)], env=env, cwd=ROOT, stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL, text=True,
                    ))  # fmt: skip
                process = running.pop(0)
                try:
                    out, _ = process.communicate(timeout=0.2)
                except subprocess.TimeoutExpired:
                    running.append(process)  # let another finish first
                    continue
                if process.returncode:
                    raise RuntimeError(f"{' '.join(process.args[-2:])} failed: run it with --task to see why")
                with open(RAW, "a") as file:
                    file.write(out)
                bar.update()
        finally:
            for process in running:
                process.kill()
                process.communicate()


if __name__ == "__main__":
    sys.exit(main())
