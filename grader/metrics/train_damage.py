"""Train the readout that distinguishes clean from damaged images: python -m grader.metrics.train_damage [DATA SET]…

Training images, unchanged and damaged in every way of `damage.DAMAGES`, go through the shipped classifier; a logistic
regression on the outputs of its layers learns which is which. The limit comes from real images it never saw.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.data import load_part, split
from assignment.ddpm.errors import Parser, run_command
from assignment.ddpm.files import replacing
from assignment.ddpm.progress import progress_bar
from grader.metrics import classifier
from grader.metrics.damage import DAMAGES, FAR, HARMLESS, RARE, USUALLY, WEIGHTS, layers
from grader.metrics.machine import machine

PLAIN, CHANGED, EACH = 12_000, 12_000, 6_000  # images: unchanged, harmlessly changed, with each kind of damage
PENALTY = 100.0  # on squared weights: large, as the outputs of the layers are much alike
CLOSE = 1e-3  # gradient of the mean loss at which a readout has been fitted


def fit(x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Logistic regression by L-BFGS: the weights (K, F) and biases (K,) that make y (N,) most likely, given x (N, F).

    Minimises the mean cross-entropy plus PENALTY / 2N times the squared weights.
    """
    from scipy.optimize import minimize

    x = x.double()

    def loss_and_gradient(values: Any) -> tuple[float, Any]:
        both = torch.from_numpy(values.copy()).view(classes, -1).requires_grad_()
        weight, bias = both[:, :-1], both[:, -1]
        loss = F.cross_entropy(x @ weight.T + bias, y) + PENALTY / (2 * len(x)) * weight.square().sum()
        (gradient,) = torch.autograd.grad(loss, both)
        return loss.item(), gradient.flatten().numpy()

    start = torch.zeros(classes * (x.shape[1] + 1), dtype=torch.float64).numpy()
    found = minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B",
        options={"maxiter": 1000, "gtol": CLOSE, "ftol": 0.0, "maxls": 50},
    )  # fmt: skip
    both = torch.from_numpy(found.x).view(classes, -1)
    return both[:, :-1], both[:, -1]


def train(data: str, root: Path) -> dict[str, Any]:
    """Train one readout, write its weights, and return what is known about it."""
    start = time.monotonic()
    images, test = (load_part(data, root, train=part).images for part in (True, False))
    learnt, unseen = split(len(images))
    network, generator = classifier.load(data).network, torch.Generator().manual_seed(0)

    def some(count: int) -> Tensor:
        return images[learnt[torch.randint(len(learnt), (count,), generator=generator)]]

    seen = []
    with progress_bar(PLAIN + CHANGED + EACH * len(DAMAGES), "images", data) as bar:
        for kind, count in (("as they are", PLAIN), ("changed", CHANGED), *((kind, EACH) for kind in DAMAGES)):
            batch = some(count)
            if kind != "as they are":
                few = torch.arange(count) < (count if kind == "changed" else count // 3)
                order = torch.randperm(count, generator=generator)
                batch = torch.cat([HARMLESS(batch[few], generator), batch[~few]])[order]
            if kind in DAMAGES:
                batch = DAMAGES[kind](batch, generator)
            seen.append(layers(network, batch))
            bar.update(count)
    x = torch.cat(seen)
    y = torch.tensor([0] * (PLAIN + CHANGED) + [k + 1 for k in range(len(DAMAGES)) for _ in range(EACH)])
    mean, scale = x[y == 0].mean(0), x[y == 0].std(0).clamp_min(1e-4)
    fitted = fit(((x - mean) / scale).clamp(-FAR, FAR), y, 1 + len(DAMAGES))
    weight, bias = ((values[1:] - values[0]).float().contiguous() for values in fitted)  # against "as they are"
    state = {"mean": mean, "scale": scale, "weight": weight, "bias": bias}

    real = layers(network, torch.cat([images[unseen], test]))
    scores = (((real - mean) / scale).clamp(-FAR, FAR) @ weight.T + bias).logsumexp(1)
    rare = RARE.get(data, USUALLY)
    about = {
        "data": data, "classifier": classifier.load(data).name, "kinds": list(DAMAGES),
        "limit": scores.quantile(1 - rare).item(), "rare": rare, "real_images": len(real),
        "images": len(x), "seconds": round(time.monotonic() - start, 1), "machine": machine(torch.device("cpu")),
    }  # fmt: skip
    WEIGHTS.mkdir(exist_ok=True)
    with replacing(WEIGHTS / f"{data}.safetensors") as temporary:
        safetensors.torch.save_file(state, temporary, metadata={"about": json.dumps(about)})
    return about


def main(argv: list[str]) -> int:
    parser = Parser(prog="python -m grader.metrics.train_damage", description=__doc__.split(":")[0])
    parser.add_argument("data", nargs="*", default=list(classifier.WIDTHS), metavar="DATA_SET")
    parser.add_argument("--root", type=Path, default=Path("data"), help="where the images are, or are downloaded to")

    def command() -> None:
        args = parser.parse_args(argv)
        for data in args.data:
            about = train(data, args.root)
            minutes = about["seconds"] / 60
            print(f"{data}: {about['images']:,} images in {minutes:.1f} min, {WEIGHTS / data}.safetensors")

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
