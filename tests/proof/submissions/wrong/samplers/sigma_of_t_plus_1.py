"""The noise has the beta of step t + 1.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.sigma = torch.cat([diffusion.betas[1:], diffusion.betas[-1:]]).sqrt()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, shape = self.diffusion, x_t.shape
        mean = x_t - d.extract(d.betas, t, shape) * model(x_t, t) / d.extract(d.sqrt_one_minus_alpha_bar, t, shape)
        mean *= d.extract(d.sqrt_recip_alpha, t, shape)
        return torch.where(
            t.view(-1, 1, 1, 1) > 0, mean + self.sigma[t].view(-1, 1, 1, 1) * torch.randn_like(mean), mean
        )

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
