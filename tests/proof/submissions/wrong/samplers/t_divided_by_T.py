"""The network is given t / T in [0, 1), as a float.

Caught by: level4.trace.timesteps
Waits: level4.trace.every_step_once for trace.timesteps
Waits: level4.end_to_end for trace.timesteps
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t / d.num_timesteps)
        beta = d.extract(d.betas, t, x_t.shape)
        mean = (x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps) / (1 - beta).sqrt()
        z = torch.randn_like(x_t)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
