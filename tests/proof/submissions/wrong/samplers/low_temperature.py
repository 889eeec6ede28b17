"""The noise is turned down to 80 % because the images look cleaner.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device, temperature=0.8):
        self.diffusion = diffusion
        self.device = device
        self.temperature = temperature

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        noise = torch.randn_like(x_t) * self.temperature
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
