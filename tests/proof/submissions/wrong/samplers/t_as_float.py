"""t is built from torch.ones, so it reaches the network as float32.

Caught by: level4.trace.timesteps
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        idx = t.long()
        alpha_t = self.diffusion.alphas[idx].view(-1, 1, 1, 1)
        alpha_bar_t = self.diffusion.alpha_bar[idx].view(-1, 1, 1, 1)
        sigma_t = self.diffusion.posterior_variance[idx].view(-1, 1, 1, 1).sqrt()
        eps = model(x_t, t)
        mean = (x_t - (1 - alpha_t) / torch.sqrt(1 - alpha_bar_t) * eps) / torch.sqrt(alpha_t)
        return mean + sigma_t * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.ones(shape[0], device=self.device) * i)
        return x.clamp(-1, 1)
