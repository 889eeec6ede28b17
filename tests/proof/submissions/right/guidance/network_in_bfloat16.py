"""The network sees x in bfloat16; its answers are put together in float32."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    x = x_t.bfloat16()
    null, own = (model(x, t, labels).float() for labels in (torch.full_like(y, num_classes), y))
    return null + w * (own - null)
