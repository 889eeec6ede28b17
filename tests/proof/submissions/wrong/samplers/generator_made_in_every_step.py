"""A generator with a fixed seed is made in every call of p_sample, so all steps have the same z.

Caught by: level4.step.fresh_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device, seed=42):
        self.diffusion = diffusion
        self.device = device
        self.seed = seed

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        generator = torch.Generator(device=x_t.device).manual_seed(self.seed)
        z = torch.randn(x_t.shape, generator=generator, device=x_t.device)
        a, ab = d.extract(d.alphas, t, x_t.shape), d.extract(d.alpha_bar, t, x_t.shape)
        mean = (x_t - (1 - a) / (1 - ab) ** 0.5 * model(x_t, t)) / a**0.5
        return mean + d.extract(d.posterior_variance, t, x_t.shape) ** 0.5 * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
