"""The step works in place, so the caller's x_t is changed.

Caught by: level4.behaviour.leaves_alone
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t)
        x_t -= d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        x_t *= d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        x_t += d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)
        return x_t

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp_(-1, 1)
