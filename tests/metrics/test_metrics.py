"""Samples of trained networks: FID and related metrics, sampling in few steps, and claims that can fail."""

import pytest
import torch

from assignment.ddpm.data import to_float
from assignment.ddpm.diffusion import GaussianDiffusion
from assignment.ddpm.errors import UserError
from assignment.ddpm.respacing import Respaced
from grader.checks import samples
from grader.checks.finding import CheckFailed
from grader.metrics import classifier, quality
from grader.metrics.draw import draw, to_bytes

T = 1000


# ---- FID and related metrics


def test_real_images_are_near_noise_and_one_class_are_far(digits):
    good = quality.assess(digits.test[:256], "digits", digits.train)
    noise = quality.assess(torch.randint(0, 256, (256, 1, 8, 8), dtype=torch.uint8), "digits", digits.train)
    label = classifier.probabilities(classifier.load("digits").network, digits.train).argmax(1)
    ones = quality.assess(digits.train[label == 1][:128], "digits", digits.train)
    assert good.fid < 5 < 50 < min(noise.fid, ones.fid)
    assert good.precision > 0.5 and good.recall > 0.5 and noise.precision < 0.05
    assert good.kid < 0.1 < noise.kid
    assert min(good.classes) > 0.05 and max(ones.classes) == 1
    assert good.damaged < 0.05 and noise.damaged > 0.99 and noise.damage == "noise"
    assert good.copies < 0.15 and ones.copies == 1  # training images are copies of themselves


def test_fid_is_that_of_the_formula(digits):
    """The formula of Heusel et al. 2017, computed by scipy instead."""
    from scipy.linalg import sqrtm

    network = classifier.load("digits").network
    a, b = (network.features(images).double().numpy() for images in (digits.test, digits.train))
    root = sqrtm(cov(a) @ cov(b)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + (cov(a) + cov(b) - 2 * root).trace()
    assert quality.fidelity(digits.test, digits.train, "digits")["fid"] == pytest.approx(expected, rel=1e-3)


def cov(features):
    import numpy as np

    return np.cov(features, rowvar=False)


def test_inception_is_an_option(digits, tmp_path, monkeypatch):
    """With a file of weights, here random ones: the computation is real, the number means nothing."""
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    with monkeypatch.context() as patch, torch.device("meta"):  # drawing its own weights takes seconds
        patch.setattr(inception, "load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = inception.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    network.to_empty(device="cpu")
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            torch.nn.init.kaiming_normal_(value)
        else:
            value.fill_(float(name.endswith(("running_var", "bn.weight"))))
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    few = digits.train[:24]
    assert quality.inception_fid(digits.test[:24], few, str(tmp_path / "inception.pth")) > 0
    with pytest.raises(UserError, match=r"--inception nowhere\.pth: no Inception weights to be had"):
        quality.inception_fid(digits.test[:4], few, "nowhere.pth")


def test_to_bytes_rounds_and_undoes_to_float(digits):
    assert torch.equal(to_bytes(to_float(digits.test)), digits.test)


# ---- sampling in fewer steps


def test_a_respaced_schedule_has_the_same_alpha_bar_where_it_stops():
    diffusion = GaussianDiffusion(T)
    few = Respaced(diffusion, 50)
    assert len(few.timesteps) == 50 and few.timesteps[0] == 0 and few.timesteps[-1] == T - 1
    torch.testing.assert_close(few.alpha_bar, diffusion.alpha_bar[few.timesteps])
    every = Respaced(diffusion, T)
    torch.testing.assert_close(every.betas, diffusion.betas, rtol=1e-4, atol=1e-6)


def test_a_perfect_network_samples_its_gaussian_in_few_steps():
    """Images from N(0.4, 0.2²): the exact noise prediction is linear in x_t, so any number of steps must end there."""
    diffusion, mean, std = GaussianDiffusion(T), 0.4, 0.2

    def predict(x, t):
        assert set(t.tolist()) <= set(Respaced(diffusion, 50).timesteps.tolist())
        a = diffusion.alpha_bar[t].view(-1, 1, 1, 1)
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    drawn = draw(predict, diffusion, 500, (1, 4, 4), steps=50, seed=0)
    variance, few = torch.ones(()), Respaced(diffusion, 50)
    for beta, a, sigma2 in zip(few.betas.flip(0), few.alpha_bar.flip(0), few.posterior_variance.flip(0), strict=True):
        variance = ((1 - beta / (a * std**2 + 1 - a)) ** 2 * variance) / (1 - beta) + sigma2
    assert drawn.mean() == pytest.approx(mean, abs=0.01)
    assert drawn.std() == pytest.approx(variance.sqrt().item(), rel=0.04)  # a standard error is 0.8 %


# ---- claims about samples: each can fail


@pytest.mark.parametrize(
    ("claim", "arguments"),
    [
        (samples.check_sound, (torch.zeros(8, 1, 4, 4),)),
        (samples.check_sound, (torch.full((8, 1, 4, 4), float("nan")),)),
        (samples.check_sound, (2 * torch.randn(8, 1, 4, 4).sign(),)),
        (samples.check_classes, ([0.5, 0.5, 0.0], 0.02, 0.6, 0)),
        (samples.check_classes, ([0.6, 0.2, 0.2], 0.02, 0.5, 0)),
        (samples.check_confidence, (0.5, 0.9, 0.8)),
        (samples.check_clean, (0.2, "blur", 0.01, 0.15)),
        (samples.check_fid, (100.0, 2.0, 18, "")),
        (samples.check_fid, (float("nan"), 2.0, 18, "")),
        (samples.check_new, (0.9, 0.04, 0.5)),
    ],
)
def test_a_claim_about_samples_can_fail(claim, arguments):
    with pytest.raises(CheckFailed):
        claim(*arguments)
