"""torch.no_grad() stands alone on a line, where it does nothing.

Caught by: level4.trace.no_grad
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.sigma = torch.sqrt(diffusion.posterior_variance)

    def p_sample(self, model, x_t, t):
        d = self.diffusion
        epsilon = model(x_t, t)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - d.extract(d.betas, t, x_t.shape) * epsilon / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        )
        return mean + d.extract(self.sigma, t, x_t.shape) * torch.randn_like(mean)

    def sample(self, model, shape):
        model.eval()
        torch.no_grad()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1).detach()
