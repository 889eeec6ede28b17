"""Plain functions on plain tensors; the class only holds them together."""

from functools import partial, reduce

import torch


def column(v, t):
    return v.index_select(0, t).unflatten(0, (-1, 1, 1, 1))


def reverse_mean(d, x, t, eps):
    drift = column(d.betas, t) / column(d.sqrt_one_minus_alpha_bar, t)
    return column(d.sqrt_recip_alpha, t) * (x - drift * eps)


def reverse_step(d, model, x, t):
    sigma = column(d.posterior_variance, t).sqrt()
    return reverse_mean(d, x, t, model(x, t)) + sigma * torch.randn_like(x)


def timesteps(d, batch, device):
    return (torch.full((batch,), i, device=device) for i in range(d.num_timesteps - 1, -1, -1))


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion, self.device = diffusion, device

    def p_sample(self, model, x_t, t):
        with torch.no_grad():
            return reverse_step(self.diffusion, model, x_t, t)

    def sample(self, model, shape):
        step = partial(self.p_sample, model.eval())
        x_T = torch.randn(shape, device=self.device)
        return reduce(step, timesteps(self.diffusion, shape[0], self.device), x_T).clamp(-1, 1)
