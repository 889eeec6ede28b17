"""Puts the model into eval mode for the sampling, and back into the mode it had."""

import contextlib

import torch


@contextlib.contextmanager
def evaluating(model):
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def p_sample(self, model, x_t, t):
        d = self.diffusion
        with torch.no_grad():
            predicted = model(x_t, t)
            beta, alpha_bar = (d.extract(v, t, x_t.shape) for v in (d.betas, d.alpha_bar))
            mean = (x_t - beta * predicted * torch.rsqrt(1 - alpha_bar)) * torch.rsqrt(1 - beta)
            return mean + torch.randn_like(x_t) * d.extract(d.posterior_variance, t, x_t.shape).sqrt()

    def sample(self, model, shape):
        with evaluating(model):
            x = torch.randn(shape, device=self.device)
            for i in reversed(range(self.diffusion.num_timesteps)):
                x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
