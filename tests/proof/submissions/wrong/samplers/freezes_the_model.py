"""Gradients are saved by freezing the model's parameters, which stay frozen.

Caught by: level4.behaviour.leaves_alone
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        mean = (x_t - beta * model(x_t, t) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)) / (1 - beta).sqrt()
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        for parameter in model.parameters():
            parameter.requires_grad = False
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
