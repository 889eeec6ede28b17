"""x_T is drawn with torch.rand. The chain forgets it, so no result shows it.

Caught by: level4.trace.starts_from_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        x = x_t - d.extract(d.betas, t, x_t.shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        x = x * d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        return x + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.rand(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
