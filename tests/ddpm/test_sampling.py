"""Drawing many images: batches, seeds, running out of memory, samplers that break their contract."""

import pytest
import torch
from torch import nn

from assignment.ddpm.errors import RunError
from assignment.ddpm.sampling import draw_samples


class FakeSampler:
    """Answers at once; records the batches requested, and rejects those larger than `room`."""

    def __init__(self, room: int = 1000, answer=lambda x: x.clamp(-1, 1)) -> None:
        self.asked, self.room, self.answer = [], room, answer

    def sample(self, model, shape):
        self.asked.append(shape[0])
        if shape[0] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        x = torch.randn(shape)
        model(x, torch.zeros(shape[0], dtype=torch.long))
        return self.answer(x)


class Identity(nn.Module):
    def forward(self, x, t):
        return x


def draw(sampler, num_images=10, **options):
    options = {"num_timesteps": 1, "device": torch.device("cpu"), "seed": 0, **options}
    return draw_samples(sampler, Identity(), num_images, (1, 4, 4), **options)


def test_as_many_as_asked_for_in_equal_batches():
    sampler = FakeSampler()
    assert draw(sampler, 10, batch_size=4).shape == (10, 1, 4, 4)
    assert sampler.asked == [4, 4, 4]


def test_the_seed_decides_and_no_two_batches_are_alike():
    first, again, other = (draw(FakeSampler(), 8, batch_size=4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    halves = [first[:4], first[4:], other[:4], other[4:]]
    assert all(not torch.equal(a, b) for i, a in enumerate(halves) for b in halves[:i])


def test_batches_are_halved_until_they_fit():
    sampler = FakeSampler(room=3)
    assert draw(sampler, 10, batch_size=8).shape == (10, 1, 4, 4)
    assert sampler.asked == [5, 2, 2, 2, 2, 2]


def test_not_even_one_image_fits():
    with pytest.raises(RunError, match="out of memory while sampling a single image"):
        draw(FakeSampler(room=0), 4)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: None, "got NoneType"),
        (lambda x: list(x), "got list"),
        (lambda x: x[0], r"got torch.float32 \(1, 4, 4\)"),
        (lambda x: (x * 127).to(torch.uint8), "got torch.uint8"),
        (lambda x: 3 * x.sign(), r"must lie in \[-1, 1\], got -3 … 3"),
        (lambda x: x / 0, "not finite"),
    ],
)
def test_a_sampler_that_breaks_its_contract_is_told_how(answer, message):
    with pytest.raises(RunError, match=message):
        draw(FakeSampler(answer=answer))


def test_other_errors_pass_with_their_traceback():
    with pytest.raises(ZeroDivisionError):
        draw(FakeSampler(answer=lambda x: 1 / 0))
