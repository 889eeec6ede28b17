"""Samples of a trained network in few steps: the FID of DDIM's beside DDPM's. Nothing is decided by it.

Both are drawn with the reference samplers, as all samples of trained networks are; a student's own is judged without a
network. DDPM in few steps is the one of Nichol & Dhariwal 2021, see metrics/draw.py.
"""

import torch

from assignment.ddpm.device import half_precision
from assignment.ddpm.errors import RunError, UserError
from assignment.ddpm.seeds import derive_seed
from grader.checks.finding import CheckFailed, NotJudged
from grader.metrics.draw import draw, draw_ddim, to_bytes
from grader.metrics.quality import REAL, fidelity
from grader.student.trained_network import BATCH
from grader.student.trained_samples import TrainedSamples

STEPS = (10, 20, 50)
MOST = {"cpu": 256, "gpu": 1024}  # images for each FID: six are drawn, in 160 steps together
DRAW = {"DDIM": draw_ddim, "DDPM": draw}

Fids = dict[str, dict[int, float]]  # sampler → number of steps → FID


def num_images(samples: TrainedSamples) -> int:
    return min(MOST[samples.setting], samples.drawing.images)


def few_step_fids(samples: TrainedSamples) -> Fids:
    """For each sampler and number of steps, of MOST images, or as many as level 1 draws on this device.

    Raises:
        CheckFailed: no images can be drawn
        NotJudged: there is nothing to compare them with
    """
    trained, count = samples.trained, num_images(samples)
    network, real = trained.network(), trained.images.train[:REAL]
    fast = half_precision(torch.device(trained.submission.device)).value == torch.bfloat16
    found: Fids = {}
    for name, draw_with in DRAW.items():
        found[name] = {}
        for steps in (n for n in STEPS if n <= trained.diffusion.num_timesteps):
            try:
                images = draw_with(
                    lambda x, t: network(x, t, autocast=fast), trained.diffusion, count, trained.shape,
                    steps=steps, seed=derive_seed("few steps", trained.seed), batch_size=BATCH[trained.kind],
                )  # fmt: skip
                found[name][steps] = fidelity(to_bytes(images), real, trained.settings.data.name)["fid"]
            except RunError as error:
                raise CheckFailed(f"expected samples that can be looked at, got none: {error}", "") from error
            except UserError as error:
                raise NotJudged(str(error)) from error
    return found


def in_words(found: Fids) -> str:
    """DDIM 5.1, 4.2, 3.9 and DDPM 20.3, 9.1, 4.4 in 10, 20 and 50 steps"""
    steps = [str(n) for n in next(iter(found.values()), {})]
    of = " and ".join(f"{name} {', '.join(f'{fid:.1f}' for fid in fids.values())}" for name, fids in found.items())
    return f"{of} in {', '.join(steps[:-1])} and {steps[-1]} steps" if len(steps) > 1 else of
