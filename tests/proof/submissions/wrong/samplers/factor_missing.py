"""The factor 1 / sqrt(alpha) is missing from Eq. 11.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        w = d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        sigma = d.extract(d.betas, t, x_t.shape).sqrt()
        noise = torch.where(t.view(-1, 1, 1, 1) > 0, torch.randn_like(x_t), torch.zeros_like(x_t))
        return x_t - w * model(x_t, t) + sigma * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for step in range(self.diffusion.num_timesteps - 1, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), step, device=self.device))
        return x.clamp(-1, 1)
