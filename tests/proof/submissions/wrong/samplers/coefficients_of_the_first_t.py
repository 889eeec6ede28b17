"""All coefficients are plain numbers looked up at t[0].

Caught by: level4.step.mixed_t
"""

import math

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        i = int(t[0])
        alpha = float(self.diffusion.alphas[i])
        alpha_bar = float(self.diffusion.alpha_bar[i])
        variance = float(self.diffusion.posterior_variance[i])
        mean = (x_t - (1 - alpha) / math.sqrt(1 - alpha_bar) * model(x_t, t)) / math.sqrt(alpha)
        return mean + math.sqrt(variance) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
