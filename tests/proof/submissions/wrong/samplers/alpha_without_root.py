"""The bracket of Eq. 11 is divided by alpha, not by its root.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        alpha_t = self.diffusion.alphas[t][:, None, None, None]
        alpha_bar_t = self.diffusion.alpha_bar[t][:, None, None, None]
        z = torch.randn_like(x_t)
        z[t == 0] = 0.0
        x = 1 / alpha_t * (x_t - (1 - alpha_t) / (1 - alpha_bar_t).sqrt() * model(x_t, t))
        return x + (1 - alpha_t).sqrt() * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
