"""Hostile: a tensor that says it is equal to everything.

Caught by: level6.guidance.contract
"""

import torch


class Equal(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("equal", "allclose", "eq", "__eq__"):
            return True
        return super().__torch_function__(func, types, args, kwargs or {})


def guided_eps(model, x_t, t, y, w, num_classes):
    return model(x_t, t, y).as_subclass(Equal)
