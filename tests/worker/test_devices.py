"""On the meta device, mixing with the CPU is refused where CUDA refuses it, and nowhere else."""

import pytest
import torch
from torch import nn

from grader.worker.devices import NoMixing

TABLE, NUMBER, STEPS = torch.arange(12.0).view(4, 3), torch.tensor(2.0), torch.tensor([0, 2])
T, X = torch.tensor([1, 3], device="meta"), torch.zeros(2, 3, device="meta")
GRU = nn.GRU(3, 4, batch_first=True).to("meta")
PACKED = nn.utils.rnn.pack_padded_sequence

REFUSED = {
    "index": lambda: TABLE[T], "embedding": lambda: nn.functional.embedding(T, TABLE),
    "index_select": lambda: TABLE.index_select(0, T), "gather": lambda: TABLE.gather(0, T[None]),
    "index_select, indices": lambda: X.index_select(0, STEPS), "take": lambda: TABLE.take(T),
    "add": lambda: X + TABLE[:2], "cat": lambda: torch.cat([X, TABLE[:2]]), "matmul": lambda: X @ TABLE[:3],
    "into a table": lambda: TABLE.clone().index_put((T,), X), "values": lambda: X.index_put((STEPS,), TABLE[:2]),
    "bucketize": lambda: torch.bucketize(X, TABLE[0]), "where": lambda: torch.where(X > 0, X, TABLE[:2]),
    "empty": lambda: torch.cat([X, torch.zeros(2, 0)], dim=1),
}  # fmt: skip
ALLOWED = {
    "a number": lambda: X * NUMBER, "a number of Python": lambda: 2 * X, "made there": lambda: X + torch.ones_like(X),
    "on the device": lambda: torch.arange(3, device=X.device) + X, "moved": lambda: TABLE.to(X.device)[T],
    "a list, moved": lambda: X + torch.tensor([1.0, 2.0, 3.0]).to(X.device), "copied": lambda: X.copy_(TABLE[:2]),
    "indices on the CPU": lambda: X[STEPS], "mask on the CPU": lambda: X[torch.tensor([True, True])].shape,
    "indices on both": lambda: X[STEPS, T - 1], "set by indices": lambda: X.index_put((STEPS - STEPS,), X),
    "value set": lambda: X.index_put((STEPS - STEPS,), NUMBER), "all on the CPU": lambda: TABLE[STEPS] + 1,
    "lengths": lambda: PACKED(X[:, None].expand(2, 4, 3), torch.tensor([4, 2]), batch_first=True, enforce_sorted=True),
    "recurrent": lambda: GRU(X[None]), "attention": lambda: nn.functional.scaled_dot_product_attention(X, X, X),
}  # fmt: skip


@pytest.mark.parametrize("do", REFUSED.values(), ids=REFUSED)
def test_refused(do):
    with pytest.raises(RuntimeError, match="device"), torch.no_grad(), NoMixing():
        do()


@pytest.mark.parametrize("do", ALLOWED.values(), ids=ALLOWED)
def test_allowed(do):
    try:
        with torch.no_grad(), NoMixing():
            do()
    except (RuntimeError, NotImplementedError) as error:
        assert "device" not in str(error)  # what the meta device lacks says nothing
