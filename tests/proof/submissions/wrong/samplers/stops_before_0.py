"""The loop ends at t = 1: range excludes its end. At T = 1000 the images hardly show it.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        alpha = self.diffusion.alphas[t].view(-1, 1, 1, 1)
        alpha_hat = self.diffusion.alpha_bar[t].view(-1, 1, 1, 1)
        beta = self.diffusion.betas[t].view(-1, 1, 1, 1)
        noise = torch.randn_like(x_t) * (t > 0).view(-1, 1, 1, 1)
        return (x_t - (1 - alpha) / (1 - alpha_hat).sqrt() * model(x_t, t)) / alpha.sqrt() + beta.sqrt() * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps - 1, 0, -1):
            t = torch.full((shape[0],), i, dtype=torch.long, device=self.device)
            x = self.p_sample(model, x, t)
        return x.clamp(-1, 1)
