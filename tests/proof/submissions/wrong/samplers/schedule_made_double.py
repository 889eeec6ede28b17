"""The constructor puts float64 tensors in the place of diffusion's own.

Caught by: level4.behaviour.leaves_alone
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        diffusion.betas = diffusion.betas.double()

    def step(self, x, eps, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x.shape) * (x - beta / root * eps)
        return (mean + d.extract(d.posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)).float()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self.step(x_t, model(x_t, t), t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
