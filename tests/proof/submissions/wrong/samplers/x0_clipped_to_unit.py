"""The x_0 estimate is clipped to [0, 1], the range that images have before they are scaled.

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
        alpha_bar = d.extract(d.alpha_bar, t, x_t.shape)
        alpha_bar_prev = alpha_bar / alpha
        beta = 1 - alpha
        x_0 = (x_t - (1 - alpha_bar).sqrt() * model(x_t, t)) / alpha_bar.sqrt()
        x_0 = x_0.clamp(0, 1)
        mean = (alpha_bar_prev.sqrt() * beta * x_0 + alpha.sqrt() * (1 - alpha_bar_prev) * x_t) / (1 - alpha_bar)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
