"""What guidance buys on the digits, by its strength: the recorded reference of configs/digits_conditional.yaml.

    uv run python -m tests.bench.guidance

Writes tests/bench/results/guidance-digits-cpu.json. As many images, in as many steps, as level 1 draws on a CPU.
"""

import torch

from assignment.ddpm.config import load_config
from assignment.ddpm.data import load_images
from assignment.ddpm.diffusion import GaussianDiffusion
from grader.grading_config import load_grading
from grader.metrics import classifier
from grader.metrics.draw import draw, guided, to_bytes
from grader.metrics.quality import REAL, fidelity
from grader.metrics.record import WEIGHTS, load_record
from grader.metrics.reference import BATCH, load_network
from tests.bench.results import write

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)  # w
NAME = "digits_conditional"
CPU = torch.device("cpu")


def measure(w: float) -> dict[str, float]:
    """Of so many images with each class equally often: how many a classifier takes for the wished one, FID, recall."""
    config, drawing = load_config(f"configs/{NAME}.yaml"), load_grading().samples["digits"].setting("cpu")
    classes, shape = config.model.num_classes, config.model.image_shape
    network, _ = load_network(config.model, WEIGHTS / f"{NAME}.safetensors", CPU)
    labels = torch.arange(drawing.images) % classes
    samples = to_bytes(draw(
        guided(network, w, classes), GaussianDiffusion.of(config), drawing.images, shape, steps=drawing.steps, seed=0,
        batch_size=BATCH["cpu"], labels=labels,
    ))  # fmt: skip
    seen = classifier.probabilities(classifier.load("digits").network, samples).argmax(1)
    real = load_images("digits", config.data.root, limit=None, shape=shape).train[:REAL]
    found = fidelity(samples, real, "digits")
    return {"w": w, "wished": (seen == labels).double().mean().item(), "fid": found["fid"], "recall": found["recall"]}


def main() -> None:
    drawn, rows = load_record(NAME).figures["samples"]["cpu"], []
    for w in STRENGTHS:
        rows.append(measure(w))
        print(rows[-1], flush=True)
    figures = {"images": drawn["images"], "steps": drawn["steps"], "fid_of_real_images": drawn["floor"]["fid"]["mean"]}
    print(write("guidance-digits-cpu.json", CPU, figures | {"rows": rows}))


if __name__ == "__main__":
    main()
