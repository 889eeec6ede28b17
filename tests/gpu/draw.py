"""Draw many samples of the reference, and some of its milestones, and store them beside its weights."""

import argparse
from pathlib import Path

import safetensors.torch
import torch

from grader.grading_config import Drawing
from grader.recording.measure import Reference

MILESTONE_STEPS = 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.draw", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--steps", type=int, nargs="+", required=True)
    parser.add_argument("--milestones", type=int, default=512, help=f"images, in {MILESTONE_STEPS} steps")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    args = parser.parse_intermixed_args()
    reference, seed = Reference(args.config, args.overrides), 0
    for steps in sorted(args.steps):
        print(len(reference.samples(seed, Drawing(args.images, steps))), "images in", steps, "steps", flush=True)

    print(len(reference.milestones(seed)), "milestones measured", flush=True)
    drawn: dict[str, torch.Tensor] = {}
    for file in sorted(reference.folder(seed).glob("epoch-*.safetensors")):
        drawn[file.stem] = reference.draw(reference.load(file)[0], Drawing(args.milestones, MILESTONE_STEPS), seed)
    if drawn:
        safetensors.torch.save_file(drawn, reference.folder(seed) / f"milestones-{MILESTONE_STEPS}.safetensors")


if __name__ == "__main__":
    main()
