"""Sample quality: FID, KID, precision and recall by torch-fidelity on our own features; classes; damage; copies."""

import contextlib
import io
import pickle
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from statistics import mode
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from assignment.ddpm.errors import UserError
from grader.metrics import classifier
from grader.metrics.classifier import FEATURES, probabilities
from grader.metrics.copies import copied

KID_SUBSETS = 50
REAL = 4096  # training images, at most, that samples are compared with
LOOKED_UP = 256  # samples, at most, that are checked for copies


@dataclass(frozen=True)
class Quality:
    """Metrics of N samples against M real images."""

    fid: float  # Heusel et al. 2017, on our features
    kid: float  # Bińkowski et al. 2018: unbiased, so also comparable between different N
    precision: float  # Kynkäänniemi et al. 2019: share of the samples that lie among real images
    recall: float  # share of real images that lie among the samples
    classes: list[float]  # share of the samples that the classifier puts into each class; empty if it knows none
    confidence: float  # mean probability of the class that the classifier chooses
    damaged: float  # share that looks more damaged than nearly all real images
    damage: str  # the most frequent kind among those
    copies: float  # share that reproduces an image of the data set

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class _Bytes(Dataset[Tensor]):
    """torch-fidelity expects bare uint8 tensors, not a TensorDataset's tuples."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        return self.images[i]


@cache
def register(data: str) -> str:
    """Register the data set's classifier with torch-fidelity; returns the name, which contains the weights' hash."""
    from torch_fidelity import register_feature_extractor
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    shipped = classifier.load(data)

    class Extractor(FeatureExtractorBase):  # type: ignore[misc]  # torch-fidelity has no types
        def __init__(self, name: str, features_list: list[str], **options: object) -> None:
            super().__init__(name, features_list)
            self.network = shipped.network

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return (str(FEATURES),)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return str(FEATURES)

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (self.network.features(images).double(),)  # torch-fidelity computes in the features' dtype

    if shipped.name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(shipped.name, Extractor)
    return shipped.name


def fidelity(samples: Tensor, real: Tensor, data: str) -> dict[str, float]:
    """FID, KID, precision and recall of uint8 samples (N, C, H, W) against real images (M, C, H, W), on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from its own dependencies
        from torch_fidelity import calculate_metrics

    with contextlib.redirect_stderr(io.StringIO()):
        found = calculate_metrics(
            input1=_Bytes(samples), input2=_Bytes(real), feature_extractor=register(data), batch_size=512,
            fid=True, kid=True, prc=True, kid_subsets=KID_SUBSETS, kid_subset_size=min(1000, len(samples), len(real)),
            cuda=False, cache=False, save_cpu_ram=True, verbose=False, rng_seed=0,
        )  # fmt: skip
    return {
        "fid": found["frechet_inception_distance"], "kid": found["kernel_inception_distance_mean"],
        "precision": found["precision"], "recall": found["recall"],
    }  # fmt: skip


def inception_fid(samples: Tensor, train: Tensor, weights: str) -> float:
    """The standard Inception FID of uint8 samples (N, C, H, W); Inception-v3 knows photographs, not small images.

    Args:
        train: uint8 (M, C, H, W)
        weights: torch-fidelity's file of weights, or `download`
    Raises:
        UserError: the file is missing or unreadable, or there is no network
    """
    from torch_fidelity import calculate_metrics

    path = None if weights == "download" else weights
    three = [images.expand(-1, 3, -1, -1) for images in (samples, train[:REAL])]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = calculate_metrics(
                input1=_Bytes(three[0]), input2=_Bytes(three[1]), feature_extractor="inception-v3-compat",
                feature_extractor_weights_path=path, fid=True, cuda=torch.cuda.is_available(), cache=False,
                save_cpu_ram=True, verbose=False,
            )  # fmt: skip
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"--inception {weights}: no Inception weights to be had: {reason}") from error
    return found["frechet_inception_distance"]


def assess(samples: Tensor, data: str, train: Tensor, *others: Tensor) -> Quality:
    """All metrics of uint8 samples (N, C, H, W), against the training images (M, C, H, W).

    `others`: of which samples could be copies, too, as validation and test images, which training must not see.
    """
    shipped = classifier.load(data)
    p = probabilities(shipped.network, samples)
    counts = torch.bincount(p.argmax(1), minlength=p.shape[1])
    from grader.metrics import damage  # imports torchvision, for which a few quick checks need not wait

    damaged, kinds = damage.damaged(data, samples)
    return Quality(
        **fidelity(samples, train[:REAL], data),
        classes=(counts / len(samples)).tolist() if shipped.knows_classes else [], confidence=p.amax(1).mean().item(),
        damaged=damaged.double().mean().item(), damage=mode(kinds) if kinds else "",
        copies=copied(samples[:LOOKED_UP], torch.cat([train, *others])).double().mean().item(),
    )  # fmt: skip
