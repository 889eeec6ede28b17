"""Coefficients are looked up once for each t and shape, for whichever sampler comes first.

Caught by: level4.step.mean
"""

import torch

KEPT = {}


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def coefficients(self, t, shape):
        d, key = self.diffusion, (*t.tolist(), *shape)
        if key not in KEPT:
            weight = d.extract(d.betas, t, shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, shape)
            KEPT[key] = (
                d.extract(d.sqrt_recip_alpha, t, shape),
                weight,
                d.extract(d.posterior_variance, t, shape).sqrt(),
            )
        return KEPT[key]

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        scale, weight, sigma = self.coefficients(t, x_t.shape)
        return scale * (x_t - weight * model(x_t, t)) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
