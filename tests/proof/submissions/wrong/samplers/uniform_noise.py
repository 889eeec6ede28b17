"""z is uniform, centred and scaled to variance 1: mean and variance are right, the distribution isn't.

Caught by: level4.step.gaussian
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def noise(self, x):
        return (torch.rand_like(x) * 2 - 1) * 3**0.5

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        )
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * self.noise(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
