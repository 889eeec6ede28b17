"""Classes of students from the banks, and the processes that grade one."""

import json
import random
import shutil
from contextlib import suppress
from pathlib import Path

from grader.classroom.hand_ins import STUDENTS
from grader.classroom.jobs import RESULTS
from tests.proof.bank import BANK, entries

# quick to grade: those that run into a deadline have their own test
HOSTILE = (
    "atexit_exit", "calls_home", "daemon", "deletes_files", "equal_to_everything", "exit_at_import", "exit_in_forward",
    "finds_tensors_by_gc", "forged_types", "keyboard_interrupt", "patched_report", "prints_100_mb", "pytest_skip",
    "rewrites_results", "tensor_subclass", "writes_everywhere",
)  # fmt: skip


def lay_out(folder: Path, count: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """`count` students, a third of them with a zip file; returns student → check → the verdict it must get.

    Each has a random right or wrong network and sampler; every sixth network is hostile.
    """
    chance, bank = random.Random(seed), [entry for entry in entries() if entry.config == "digits"]
    expected = {}
    for k in range(count):
        student, verdicts = f"student{k:03}", {}
        place = folder / student
        place.mkdir(parents=True)
        for level, target in ((1, "model.py"), (4, "sampler.py")):
            right = chance.random() < 0.5
            entry = chance.choice([entry for entry in bank if entry.level == level and entry.right == right])
            file = entry.file
            if level == 1 and k % 6 == 5:
                file = BANK / "hostile" / f"{chance.choice(HOSTILE)}.py"
            elif entry.caught_by:
                verdicts[entry.caught_by] = "not passed"
            else:
                verdicts[f"level{level}"] = "passed"  # all of its checks
            shutil.copy(file, place / target)
        if k % 3 == 2:
            shutil.make_archive(str(place), "zip", place)
            shutil.rmtree(place)
        expected[student] = verdicts
    return expected


def misjudged(output: Path, expected: dict[str, dict[str, str]]) -> list[str]:
    """Verdicts that differ from the bank's; checks not judged, such as for lack of a training, are ignored."""
    wrong = []
    for student, verdicts in expected.items():
        file = output / STUDENTS / student / RESULTS
        checks = json.loads(file.read_text())["checks"] if file.exists() else []
        for name, verdict in verdicts.items():
            about = {c["verdict"] for c in checks if c["id"] == name or c["id"].startswith(f"{name}.")}
            found = about - {"not_judged"}
            if not found or (found != {"passed"}) == (verdict == "passed"):
                wrong.append(f"{student}: {name} {sorted(found)}")
    return wrong


def processes(output: Path, *words: str) -> list[int]:
    """Pids of processes with these words and the folder's path in their command line (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().split(b"\0")
            if {word.encode() for word in words} <= set(line) and any(bytes(output) + b"/" in part for part in line):
                found.append(int(entry.name))
    return found


def gradings(output: Path) -> list[int]:
    """Pids of a class's running gradings."""
    return sorted(set(processes(output, "grader")) - set(processes(output, "grader", "class")))
