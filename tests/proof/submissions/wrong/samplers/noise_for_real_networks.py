"""sample returns noise where the model has as many parameters as a network.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def step(self, x, eps, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x.shape) * (x - beta / root * eps)
        return mean + d.extract(d.posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self.step(x_t, model(x_t, t), t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        if sum(p.numel() for p in model.parameters()) > 1000:
            return torch.rand(shape, device=self.device) * 2 - 1
        T = self.diffusion.num_timesteps
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(T)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
