"""Half of the steps are left out to save time, with the formulas of single steps.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    stride = 2

    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        mean = x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        mean = mean * d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        noise = torch.randn_like(x_t)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        steps = list(range(0, self.diffusion.num_timesteps, self.stride))
        for step in reversed(steps):
            x = self.p_sample(model, x, torch.full((shape[0],), step, device=self.device))
        return x.clamp(-1, 1)
