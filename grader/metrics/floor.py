"""The metrics of samples, measured on as many real images never seen in training.

Averaged over many draws, as a single one varies: the FID of 128 photographs by two fifths.
"""

import warnings
from typing import Any

import torch
from torch import Tensor

from grader.metrics import classifier, damage
from grader.metrics.classifier import Classifier
from grader.metrics.copies import copied
from grader.metrics.quality import REAL

DRAWS = 200
LOOKED_UP = 1024  # held-out images that are checked for copies


@torch.no_grad()
def features(network: Classifier, images: Tensor, batch_size: int = 512) -> Tensor:
    """uint8 (N, C, H, W) → (N, FEATURES) float64, on the CPU."""
    device = next(network.parameters()).device
    return torch.cat([network.features(part.to(device)).double().cpu() for part in images.split(batch_size)])


def frechet(first: Tensor, second: Tensor) -> float:
    """The FID of two sets of features (N, FEATURES), (M, FEATURES)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from its own dependencies
        from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    found = fid_statistics_to_metric(*map(fid_features_to_statistics, (first, second)), verbose=False)
    return found[KEY_METRIC_FID]


def real_images(data: str, held_out: Tensor, train: Tensor, counts: list[int]) -> list[dict[str, Any]]:
    """For each count: mean and standard deviation over DRAWS draws of so many of `held_out` (N, C, H, W), uint8."""
    network = classifier.load(data).network
    known, found = features(network, train[:REAL]), features(network, held_out)
    sure = network.head(found.float()).softmax(1).amax(1).double()
    damaged, _ = damage.damaged(data, held_out)
    copies = copied(
        held_out[torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0))[:LOOKED_UP]], train
    )
    floors = []
    for count in counts:
        rows = []
        for k in range(DRAWS):
            chosen = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(k))[:count]
            fid = frechet(found[chosen], known)
            rows.append([fid, sure[chosen].mean().item(), damaged[chosen].double().mean().item()])
        values = torch.tensor(rows, dtype=torch.float64)
        spread = zip(("fid", "confidence", "damaged"), values.mean(0).tolist(), values.std(0).tolist(), strict=True)
        floors.append({name: {"mean": mean, "sd": sd} for name, mean, sd in spread}
                      | {"copies": copies.double().mean().item(), "draws": DRAWS})  # fmt: skip
    return floors
