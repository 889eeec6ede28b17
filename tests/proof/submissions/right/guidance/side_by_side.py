"""Each image beside its copy, by repeat_interleave."""

import torch


def guided_eps(model, x_t, t, y, w, num_classes):
    labels = torch.stack([torch.full_like(y, num_classes), y], dim=1).flatten()
    both = model(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), labels)
    eps_null, eps_y = both.view(len(y), 2, *x_t.shape[1:]).unbind(1)
    return torch.lerp(eps_null, eps_y, w)
