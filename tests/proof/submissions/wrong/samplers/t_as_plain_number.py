"""The loop's counter itself is passed on, so the network gets a Python int.

Caught by: level4.trace.timesteps
Waits: level4.trace.every_step_once for trace.timesteps
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta, alpha_bar = (v[t].reshape(-1, 1, 1, 1) for v in (d.betas, d.alpha_bar))
        mean = (x_t - beta / torch.sqrt(1 - alpha_bar) * model(x_t, t)) / torch.sqrt(1 - beta)
        sigma = d.posterior_variance[t].reshape(-1, 1, 1, 1).sqrt()
        return mean + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for t in range(self.diffusion.num_timesteps - 1, -1, -1):
            x = self.p_sample(model, x, t)
        return x.clamp(-1, 1)
