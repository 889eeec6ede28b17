"""Train a noise-prediction network, then sample from it.

uv run python main.py --config configs/X.yaml [--solution] [--custom-sampler] [--sampler ddim] [key.path=value …]
"""

import argparse
import difflib
import importlib
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# torch, and everything that needs it, is imported in run(): a mistyped argument is reported at once, not after seconds
from assignment.ddpm import invocation
from assignment.ddpm.config import Config, config_files, load_config
from assignment.ddpm.errors import Parser, RunError, UserError, run_command

FLAGS = {
    "--solution": "train the reference network instead of assignment/model.py",
    "--custom-sampler": "sample with assignment/sampler.py instead of the reference sampler",
}
SAMPLERS = {"ddpm": "DDPMSampler", "ddim": "DDIMSampler"}


def parse(argv: list[str]) -> tuple[argparse.Namespace, Config]:
    """Command line → flags and the resolved configuration. Raises UserError for anything invalid."""
    parser = Parser(
        prog="main.py", allow_abbrev=False, description=__doc__.splitlines()[0],
        usage="main.py --config configs/X.yaml [--solution] [--custom-sampler] [--sampler ddim] [key.path=value …]",
        epilog="key.path=value sets any key of the YAML file, such as training.epochs=10 or data.limit=6400",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help=f"one of {', '.join(config_files())}, or your own")
    for flag, what in FLAGS.items():
        parser.add_argument(flag, action="store_true", help=what)
    says = "ddpm: all T steps (default); ddim: only sampling.steps, with sampling.eta"
    parser.add_argument("--sampler", choices=list(SAMPLERS), default="ddpm", help=says)
    args, overrides = parser.parse_known_args(argv)

    for text in overrides:
        if text.startswith("-"):
            near = difflib.get_close_matches(text, ["--config", "--sampler", *FLAGS], n=1, cutoff=0.0)[0]
            raise UserError(f"{text}: unknown flag; did you mean {near}?")
    if args.config is None:
        raise UserError(f"--config is missing: expected one of {', '.join(config_files())}")
    config = load_config(args.config, overrides)
    steps, most = config.sampling.steps, config.model.num_timesteps
    if args.sampler == "ddim" and steps > most:
        raise UserError(f"sampling.steps={steps}: expected at most model.num_timesteps={most}")
    return args, config


def network_class(*, solution: bool) -> type:
    """The one that is asked for; the other one need not even be importable."""
    if solution:
        from reference.model import DiffusionModel as Reference

        return Reference
    from assignment.model import DiffusionModel

    return DiffusionModel


def sampler_class(*, custom: bool, name: str = "ddpm") -> Callable[..., Any]:
    return _found(module_of_samplers(custom=custom), SAMPLERS[name], "class")


def guided_eps(*, custom: bool) -> Callable[..., Any]:
    """What samples are drawn by where model.num_classes is set (level 6)."""
    return _found(module_of_samplers(custom=custom), "guided_eps", "function")


def module_of_samplers(*, custom: bool) -> str:
    return "assignment.sampler" if custom else "reference.sampler"


def _found(module: str, name: str, kind: str) -> Callable[..., Any]:
    found = getattr(importlib.import_module(module), name, None)
    if found is None:
        raise RunError(f"{module.replace('.', '/')}.py: expected a {kind} {name}")
    return found


def run(args: argparse.Namespace, config: Config) -> None:
    from assignment.ddpm import exercise
    from assignment.ddpm.milestones import load_milestones

    network = network_class(solution=args.solution)
    sampler = sampler_class(custom=args.custom_sampler, name=args.sampler)
    guide = None if config.model.num_classes is None else guided_eps(custom=args.custom_sampler)
    few = config.sampling.steps if args.sampler == "ddim" else None

    def make_sampler(diffusion: Any, device: Any) -> Any:
        if few is None:
            return sampler(diffusion, device)
        # while it trains, on a schedule that is shorter than T
        return sampler(diffusion, device, min(few, diffusion.num_timesteps), config.sampling.eta)

    config_name = Path(args.config).stem
    run_dir = Path(config.output_dir) / f"{config_name}-{'solution' if args.solution else 'student'}"
    try:
        exercise.run(
            config, network, make_sampler, run_dir, guided_eps=guide, steps=few,
            milestones=load_milestones(config_name, config), grade=f"make test-level1 CONFIG={args.config}",
        )  # fmt: skip
    except NotImplementedError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        if not (where.line or "").startswith("raise NotImplementedError"):
            raise  # an operation missing on some device, not a stub
        file = Path(where.filename).relative_to(Path(__file__).parent)
        raise RunError(f"{file}:{where.lineno}: not implemented yet: {error}") from error


def main(argv: list[str]) -> int:
    """Exit codes: 0 done, 1 the run failed, 2 the call is wrong, 130 interrupted."""
    resume = [*(a for a in argv if not a.startswith("training.resume=")), "training.resume=true"]
    return run_command(
        lambda: run(*parse(argv)), interrupted=f"resume with: {invocation.python()} main.py {shlex.join(resume)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
