"""The clipped log-variance, whose first entry is a copy of the second, without a mask at t = 0.

Caught by: level4.step.last_step
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        v = diffusion.posterior_variance
        self.posterior_log_variance_clipped = torch.log(torch.cat([v[1:2], v[1:]]))

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        log_variance = d.extract(self.posterior_log_variance_clipped, t, x_t.shape)
        return mean + torch.exp(0.5 * log_variance) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
