"""A class with __call__, in float64 within."""

import torch


class Guided:
    def __call__(self, model, x_t, t, y, w, num_classes):
        labels = torch.stack([torch.full_like(y, num_classes), y])
        eps = torch.stack([model(x_t, t, label) for label in labels]).double()
        weights = torch.tensor([1 - w, w], dtype=torch.float64, device=eps.device)
        return torch.einsum("k,kbchw->bchw", weights, eps).float()


guided_eps = Guided()
