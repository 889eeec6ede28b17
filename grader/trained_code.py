"""Write out the model.py that weights were trained with, which main.py keeps in them.

python -m grader code WEIGHTS FILE
"""

from pathlib import Path

from assignment.ddpm.errors import Parser, UserError, run_command
from assignment.ddpm.files import replacing
from grader.submission.weights_files import about_file


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 the call or a file is wrong."""
    return run_command(lambda: run(argv))


def run(argv: list[str]) -> None:
    parser = Parser(prog="python -m grader code", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "weights", type=Path, metavar="WEIGHTS", help="such as outputs/digits-student/weights.safetensors"
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file, such as outputs/model_as_trained.py")
    args = parser.parse_args(argv)
    about = about_file(args.weights)
    if about is None:
        raise UserError(f"{args.weights}: expected a file of weights, as safetensors")
    if "source" not in about:
        raise UserError(f"{args.weights}: does not hold the code it was trained with, only a hash of it")
    if args.file.exists():
        raise UserError(f"{args.file} is there already; expected a new file")
    with replacing(args.file) as temporary:
        temporary.write_bytes(about["source"].encode("utf-8", "replace"))
    print(f"{args.file}: the model.py that {args.weights} was trained with")
