"""x_T is clamped to the range of images before the first step.

Caught by: level4.trace.starts_from_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def _initial(self, shape):
        return torch.randn(shape, device=self.device).clamp(-1, 1)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        coef = d.betas / d.sqrt_one_minus_alpha_bar
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - d.extract(coef, t, x_t.shape) * model(x_t, t))
        variance = d.extract(d.posterior_variance, t, x_t.shape)
        return mean + variance.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = self._initial(shape)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
