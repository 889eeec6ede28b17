"""Classes of students from the banks, and the processes that grade one."""

import csv
import fcntl
import json
import random
import shutil
from contextlib import suppress
from pathlib import Path

from grader.classroom.hand_ins import STUDENTS
from grader.classroom.jobs import LOCK, RESULTS
from tests.conftest import ROOT
from tests.proof.bank import BANK, entries

# quick to grade: those that run into a deadline have their own test
HOSTILE = (
    "atexit_exit", "calls_home", "daemon", "deletes_files", "equal_to_everything", "exit_at_import", "exit_in_forward",
    "finds_tensors_by_gc", "forged_types", "keyboard_interrupt", "patched_report", "prints_100_mb", "pytest_skip",
    "rewrites_results", "tensor_subclass", "writes_everywhere",
)  # fmt: skip


def lay_out(folder: Path, count: int, seed: int = 0, odd: int = 0) -> dict[str, dict[str, str]]:
    """`count` students, a third of them with a zip file; returns student → check → the verdict it must get.

    Each has a random right or wrong network and sampler; every sixth network is hostile. The last `odd` of them hand
    their files in as students do (ODD); from three of ten nothing can be taken.
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
        if k >= count - odd:
            verdicts = ODD[k % len(ODD)](place, verdicts)
        elif k % 3 == 2:
            shutil.make_archive(str(place), "zip", place)
            shutil.rmtree(place)
        expected[student] = verdicts
    return expected


Verdicts = dict[str, str]
NOTHING: Verdicts = {}  # nothing can be taken


def _archive(place: Path, how: str) -> Path:
    """The folder as an archive, in its place."""
    made = Path(shutil.make_archive(str(place), how, place))
    shutil.rmtree(place)
    return made


def _packed(place: Path, verdicts: Verdicts) -> Verdicts:
    _archive(place, "gztar")
    return verdicts


def _shouted(place: Path, verdicts: Verdicts) -> Verdicts:
    _archive(place, "zip").rename(place.with_suffix(".ZIP"))
    return verdicts


def _zip_in_a_folder(place: Path, verdicts: Verdicts) -> Verdicts:
    made = _archive(place, "zip")
    (place / "final").mkdir(parents=True)
    made.rename(place / "final" / "homework.zip")
    return verdicts


def _clone(place: Path, verdicts: Verdicts) -> Verdicts:
    """A copy of the project, with a virtual environment."""
    files = {file.name: file.read_bytes() for file in place.iterdir()}
    for name in ("assignment", "reference"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "weights", "results"))
    for name, content in files.items():
        (place / name).rename(place / "assignment" / name)
        (place / "venv" / "lib").mkdir(parents=True, exist_ok=True)
        (place / "venv" / "lib" / name).write_bytes(content[::-1])
    return verdicts


def _downloaded(place: Path, verdicts: Verdicts) -> Verdicts:
    (place / "model.py").rename(place / "model (1).py")
    (place / "sampler.py").rename(place / "Sampler.py.txt")
    return verdicts


def _loose(place: Path, verdicts: Verdicts) -> Verdicts:
    """As Canvas exports them: without a folder."""
    for number, file in enumerate(sorted(place.iterdir())):
        file.rename(place.with_name(f"{place.name}_115_{5015 + number}_{file.name}"))
    place.rmdir()
    return verdicts


def _from_a_mac(place: Path, verdicts: Verdicts) -> Verdicts:
    (place / "__MACOSX").mkdir()
    (place / "__MACOSX" / "model.py").write_bytes(b"\0\5\26\7")
    return verdicts


def _two_versions(place: Path, verdicts: Verdicts) -> Verdicts:
    (place / "old").mkdir()
    (place / "old" / "model.py").write_text("another = 1\n")
    return NOTHING


def _rar(place: Path, verdicts: Verdicts) -> Verdicts:
    shutil.rmtree(place)
    place.with_suffix(".rar").write_bytes(b"Rar!\x1a\7\1\0" + bytes(100))
    return NOTHING


def _damaged(place: Path, verdicts: Verdicts) -> Verdicts:
    made = _archive(place, "zip")
    made.write_bytes(made.read_bytes()[:-200])
    return NOTHING


ODD = (
    _packed, _shouted, _zip_in_a_folder, _clone, _downloaded, _loose, _from_a_mac, _two_versions, _rar, _damaged,
)  # fmt: skip


def wrong_rows(output: Path, expected: dict[str, Verdicts]) -> list[str]:
    """Rows of class.csv that are missing, there twice, or have points and a problem the wrong way round."""
    with (output / "class.csv").open(newline="") as file:
        rows = [(row["student"].removesuffix("_115"), row["problem"]) for row in csv.DictReader(file)]
    wrong = [f"{student}: {problem}" for student, problem in rows if bool(problem) != (expected[student] is NOTHING)]
    names = [student for student, _ in rows]
    return wrong + [f"{student}: {names.count(student)} rows" for student in expected if names.count(student) != 1]


def misjudged(output: Path, expected: dict[str, dict[str, str]]) -> list[str]:
    """Verdicts that differ from the bank's; checks not judged, such as for lack of a training, are ignored."""
    wrong = []
    for student, verdicts in expected.items():
        file = next(output.glob(f"{STUDENTS}/{student}*/{RESULTS}"), output / STUDENTS / student / RESULTS)
        checks = json.loads(file.read_text())["checks"] if file.exists() else []
        for name, verdict in verdicts.items():
            about = {c["verdict"] for c in checks if c["id"] == name or c["id"].startswith(f"{name}.")}
            found = about - {"not_judged"}
            if not found or (found != {"passed"}) == (verdict == "passed"):
                wrong.append(f"{student}: {name} {sorted(found)}")
    return wrong


def gradings(output: Path) -> list[int]:
    """Pids of a class's running gradings, as their locks name them (Linux)."""
    found = []
    for lock in output.glob(f"{STUDENTS}/*/{LOCK}"):
        with lock.open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found += [int(number) for number in held.read().split()]  # empty for a moment at the start
    return sorted(found)


def warm_processes(controller: int) -> list[int]:
    """Pid of the process that a class's gradings are forked from, while there is one (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == controller and b"forkserver" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
