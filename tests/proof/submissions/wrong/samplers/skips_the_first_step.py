"""The loop starts at T-2, so x_T is taken for x_{T-1}. No result can show it: both are nearly pure noise.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.T = diffusion.num_timesteps
        self.diffusion, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        coefficients = (d.sqrt_recip_alpha, d.betas / d.sqrt_one_minus_alpha_bar, d.posterior_variance.sqrt())
        scale, weight, sigma = (d.extract(c, t, x_t.shape) for c in coefficients)
        return scale * (x_t - weight * model(x_t, t)) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(1, self.T):
            step = self.T - i - 1
            x = self.p_sample(model, x, torch.full((shape[0],), step, device=self.device))
        return torch.clamp(x, -1, 1)
