"""Each x_{t-1} is clamped to [-1, 1], noise and all.

Caught by: level4.step.mean
Waits: level4.step.fresh_noise for step.mean
Waits: level4.step.variance for step.mean
Waits: level4.step.gaussian for step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta, root = (d.extract(v, t, x_t.shape) for v in (d.betas, d.sqrt_one_minus_alpha_bar))
        x = (x_t - beta / root * model(x_t, t)) / (1 - beta).sqrt()
        x = x + (t > 0).view(-1, 1, 1, 1) * beta.sqrt() * torch.randn_like(x_t)
        return torch.clamp(x, -1.0, 1.0)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps)[::-1]:
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device, dtype=torch.long))
        return x
