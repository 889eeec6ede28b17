"""One call of the network for the batch, then plain numbers image by image."""

import math

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def _one(self, x, eps, step):
        beta = self.diffusion.betas[step].item()
        alpha_bar = self.diffusion.alpha_bar[step].item()
        mean = (x - beta / math.sqrt(1 - alpha_bar) * eps) / math.sqrt(1 - beta)
        if step == 0:
            return mean
        return mean + math.sqrt(beta) * torch.randn_like(x)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        eps = model(x_t, t)
        return torch.stack([self._one(x, e, step) for x, e, step in zip(x_t, eps, t.tolist(), strict=True)])

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for step in range(self.diffusion.num_timesteps - 1, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), step, device=self.device))
        return x.clamp(-1, 1)
