"""The root of Eq. 11 holds 1 - alpha_t where 1 - alpha_bar_t belongs.

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
        alpha = d.extract(d.alphas, t, x_t.shape)
        beta = d.extract(d.betas, t, x_t.shape)
        mean = (x_t - beta / torch.sqrt(1 - alpha) * model(x_t, t)) / torch.sqrt(alpha)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
