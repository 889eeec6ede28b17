"""Pack what is handed in: model.py, sampler.py, and the weights of each configuration that was trained.

python -m grader submit [SUBMISSION] [--output FILE] [--config FILE] [--weights CONFIG=FILE]… [--bfloat16] [key=value …]
"""

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assignment.ddpm.config import load_config
from assignment.ddpm.errors import Parser, RunError, UserError, run_command
from assignment.ddpm.files import replacing
from assignment.ddpm.screen import say
from grader import ROOT
from grader.check_ids import LEVEL_CONFIGS, OPTIONAL, TRAINED, needs_training
from grader.errors import GraderFault
from grader.grading_config import load_grading
from grader.grading_options import add_options, weights_by_config
from grader.results import Check, level_of
from grader.runs import run_folder, settings_for
from grader.submission.handed_in import read
from grader.submission.programs import change
from grader.submission.sources import FILES, is_starter, read_sources, sha256
from grader.submission.weights_files import (
    CONFIG,
    FOLDER,
    LOG,
    WEIGHTS,
    about_file,
    date_of,
    digest_of,
    known_configs,
    trained_for,
)

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same zip
BESIDE = {LOG: ("log.csv", 1 << 20), CONFIG: ("config.yaml", 1 << 16)}  # of a run, and the most bytes of them
DIGITS = ROOT / "configs" / "digits.yaml"  # the contract is checked on it: its images are there


@dataclass
class Run:
    """A finished training on its way into the zip file."""

    config: Path
    weights: Path
    packed: Path  # the weights, or a copy of half their size
    notes: list[str]

    @property
    def name(self) -> str:
        return self.config.stem

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name in the zip, and file."""
        yield f"{FOLDER}/{self.name}{WEIGHTS}", self.packed
        for kind, (name, most) in BESIDE.items():
            file = self.weights.with_name(name)
            if self.weights.name == "weights.safetensors" and file.is_file() and file.stat().st_size <= most:
                yield f"{FOLDER}/{self.name}{kind}", file


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UserError for anything invalid."""
    parser = Parser(
        prog="python -m grader submit", description=__doc__.splitlines()[0], usage=__doc__.splitlines()[2],
        allow_abbrev=False, epilog="exit 0: the zip file is written, whatever it will score; "
        "1: the course could not read it, and nothing is written; 2: the call is wrong",
    )  # fmt: skip
    add = parser.add_argument
    add(
        "submission", nargs="?", type=Path, default=Path("assignment"), metavar="SUBMISSION",
        help="a folder with model.py and sampler.py; default: assignment",
    )  # fmt: skip
    add("--output", type=Path, default=Path("outputs/submission.zip"), metavar="FILE", help="default: %(default)s")
    add("--config", type=Path, metavar="FILE", help="pack the training on this configuration only; default: all")
    add("--bfloat16", action="store_true", help="halve the size of the weights; done anyway where they are too large")
    add_options(parser, "--weights", "--sandbox")
    args = parser.parse_intermixed_args(argv)
    if "=" in str(args.submission) and not args.submission.exists():  # an override, with SUBMISSION left out
        args.overrides, args.submission = [str(args.submission), *args.overrides], Path("assignment")
    if args.output.suffix != ".zip":
        raise UserError(f"--output {args.output}: expected a name that ends in .zip")
    if not args.submission.is_dir():
        raise UserError(f"{args.submission}: expected a folder with model.py and sampler.py")
    return args


def trained(args: argparse.Namespace) -> list[Run]:
    """The trainings that are there: those given, else what main.py has left in the output folder."""
    files = [args.config] if args.config else [ROOT / "configs" / f"{name}.yaml" for name in known_configs()]
    given = weights_by_config(args.weights, [file.stem for file in files])
    for name, weights in given.items():
        if about_file(weights) is None:
            raise UserError(
                f"--weights {name}={weights}: not safetensors, and nothing else is taken; expected the "
                "weights.safetensors of a run"
            )
    found = []
    for file in files:
        weights = given.get(file.stem) or run_folder(file, load_config(file, args.overrides)) / "weights.safetensors"
        if weights.is_file() and not weights.is_symlink():
            found.append(Run(file, weights, weights, []))
    return found


def half_size(run: Run, args: argparse.Namespace, folder: Path) -> None:
    """Have bfloat16 packed if that is asked for, or if float32 is too large."""
    limit, size = load_grading().weights.bytes, run.weights.stat().st_size
    if size > limit or args.bfloat16:
        from grader.student.rounding import round_weights  # imports torch

        target = folder / f"{run.name}{WEIGHTS}"
        settings = settings_for(run.config, args.overrides)
        try:
            rounded = round_weights(args.submission, settings, run.config, run.weights, target)
        except RunError:
            return  # they don't load, which is said anyway
        run.packed = target
        why = "as asked" if args.bfloat16 else f"as {size >> 20:,} MiB are more than the {limit >> 20:,} MiB allowed"
        run.notes.append(f"packed in bfloat16, {why}; {rounded}")


def check(run: Run | None, levels: Sequence[int], args: argparse.Namespace) -> list[Check]:
    """Those quick checks on which all others build: of the contract, and of the weights if there are any."""
    from grader.grade import grade  # imports torch

    def is_wanted(check: str) -> bool:
        return ".contract." in check or check.endswith(".own_work") if run is None else check == WEIGHTS_CHECK

    options = [f"--sandbox={args.sandbox}", *([f"--weights={run.name}={run.packed}"] if run else [])]
    with tempfile.TemporaryDirectory() as pictures:
        try:
            return grade(
                args.submission, levels=levels, config=run.config if run else DIGITS, overrides=args.overrides,
                quiet=True, only=is_wanted, options=[*options, f"--figures={pictures}"],
            ).checks  # fmt: skip
        except GraderFault as fault:  # nobody is kept from handing in by a fault of ours
            say(f"  not checked: {fault}")
            return []


WEIGHTS_CHECK = "level1.trained.weights"


def say_sources(sources: dict[str, bytes], args: argparse.Namespace) -> None:
    """What of the two files goes in, and whether it keeps the contract."""
    levels = [level for level, name in ((1, "model.py"), (4, "sampler.py")) if not not_written(sources.get(name))]
    checks = check(None, levels, args) if levels else []
    for level, name in ((1, "model.py"), (4, "sampler.py")):
        if why := not_written(sources.get(name)):
            say(f"  {name}: {why}; its checks will fail")
            continue
        of = [each for each in checks if each.level == level]
        broken = [each for each in of if each.verdict != "passed"]
        kept = "the contract is kept" if of else "not checked"
        says = f"BUT {broken[0].id}: {broken[0].message}" if broken else kept
        say(f"  {name}: {len(sources[name]):,} bytes, {says}")


def not_written(source: bytes | None) -> str:
    if source is None:
        return "missing"
    return "the untouched starter" if is_starter(source) else "empty" if not source.strip() else ""


def say_run(run: Run, source: bytes, args: argparse.Namespace) -> None:
    """Which weights go in, for which levels, and whether they will count."""
    about = about_file(run.weights) or {}
    size = f"{run.packed.stat().st_size / (1 << 20):.1f} MiB in {precision(run.packed)}"
    say(f"  {FOLDER}/{run.name}{WEIGHTS}: {', '.join(filter(None, [size, trained_for(about)]))}")
    say(f"    from {run.weights}, of {date_of(run.weights)}, for {levels_of(run.name, args.config)}")
    broken = [each for each in check(run, [1], args) if each.verdict != "passed"]
    changed = change(about, source)
    if broken:
        run.notes.append(f"BUT they will not count: {broken[0].message}{f'. {broken[0].hint}' if changed else ''}")
    elif changed:
        run.notes.append(f"they fit, but the code has changed since: {changed}")
    for note in run.notes:
        say(f"    {note}")


def precision(weights: Path) -> str:
    """As the header of the file has it."""
    with weights.open("rb") as opened:
        return "bfloat16" if b'"BF16"' in opened.read(1 << 20) else "float32"


def levels_of(config: str, given: Path | None) -> str:
    """Where weights of a configuration count."""
    levels = [level for level, name in LEVEL_CONFIGS.items() if name == config and level in TRAINED]
    if not levels or (given and levels[0] not in OPTIONAL):
        return f"levels 1 to 3 where the course grades on {config}"
    return f"level{'s' if levels[1:] else ''} {' and '.join(map(str, levels))}"


def say_missing(packed: list[str], given: Path | None) -> None:
    """What can't be judged for lack of weights."""
    points = load_grading().points
    configs = {given.stem: [1, 2, 3]} if given else {
        name: [level for level, of in LEVEL_CONFIGS.items() if of == name and level in TRAINED]
        for name in dict.fromkeys(LEVEL_CONFIGS.values())
    }  # fmt: skip
    for name, levels in configs.items():
        lost = sum(value for i, value in points.items() if needs_training(i) and level_of(i) in levels)
        if name not in packed and (lost or not set(OPTIONAL).issuperset(levels)):
            where = "" if given or not packed else ", unless the course grades on another configuration"
            say(f"  no weights of {name}: {lost:g} points of {levels_of(name, given)} can't be judged{where}")


def write(output: Path, sources: dict[str, bytes], runs: list[Run]) -> None:
    """Raises RunError if the course would read it otherwise; what was there before is then left as it was."""
    with replacing(output) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, source in sources.items():
                archive.writestr(zipfile.ZipInfo(name, LONG_AGO), source, zipfile.ZIP_DEFLATED)
            for name, file in (each for run in runs for each in run.files()):
                with file.open("rb") as opened, archive.open(zipfile.ZipInfo(name, LONG_AGO), "w") as packed:
                    while piece := opened.read(1 << 20):  # stored as they are: weights don't get smaller
                        packed.write(piece)
        look_again(temporary, sources, runs)


def run(args: argparse.Namespace) -> None:
    runs, sources = trained(args), read_sources(args.submission)
    if all(not_written(sources.get(name)) for name in FILES):
        raise UserError(f"{args.submission}: model.py and sampler.py are missing or untouched; nothing to hand in")
    with tempfile.TemporaryDirectory() as folder:
        print("checking, as the course will", file=sys.stderr)
        say_sources(sources, args)
        for each in list(runs):
            half_size(each, args, Path(folder))
            say_run(each, sources.get("model.py", b""), args)
            if each.packed.stat().st_size > load_grading().weights.bytes:
                say(f"    LEFT OUT: more than {load_grading().weights.mib:g} MiB also in bfloat16")
                runs.remove(each)
        say_missing([each.name for each in runs], args.config)
        write(args.output, sources, runs)
    print()
    say(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB; hand in this file as it is")


def look_again(packed: Path, sources: dict[str, bytes], runs: list[Run]) -> None:
    """Read the file as the course will. Raises RunError if it would find anything else."""
    found = read(packed, configs=[each.name for each in runs])
    wanted = sha256(sources) | {f"{FOLDER}/{each.name}{WEIGHTS}": digest_of(each.packed) for each in runs}
    if found.digests != wanted:
        raise RunError(f"nothing was written: the course would not read it as meant: {found.problem or found.remark}")


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 1 it can't be read back, 2 the call or a file is wrong, 3 the grader failed."""
    return run_command(lambda: run(parse(argv)), exhausted=GraderFault)
