"""t is made before the loop, so every step is the step T-1.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        return mean + d.extract(d.posterior_variance.sqrt(), t, x_t.shape) * torch.randn_like(mean)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        T = self.diffusion.num_timesteps
        t = torch.full((shape[0],), T - 1, device=self.device)
        for _ in range(T):
            x = self.p_sample(model, x, t)
        return x.clamp(-1, 1)
