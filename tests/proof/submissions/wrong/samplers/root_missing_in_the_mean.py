"""beta is divided by 1 - alpha_bar instead of by its root.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.coef = diffusion.betas / (1.0 - diffusion.alpha_bar)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, n = self.diffusion, x_t.shape[0]
        predicted = model(x_t, t)
        mu = d.sqrt_recip_alpha[t].view(n, 1, 1, 1) * (x_t - self.coef[t].view(n, 1, 1, 1) * predicted)
        sigma = torch.sqrt(d.posterior_variance[t]).view(n, 1, 1, 1)
        return mu + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
