"""A DDIM step from a clipped estimate of x_0, without noise.

Caught by: level4.step.mean
Hint: the deterministic step of DDIM
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t)
        alpha_bar = d.extract(d.alpha_bar, t, x_t.shape)
        before = torch.where((t > 0).view(-1, 1, 1, 1), d.extract(d.alpha_bar, (t - 1).clamp(min=0), x_t.shape), 1.0)
        x_0 = ((x_t - torch.sqrt(1 - alpha_bar) * eps) / torch.sqrt(alpha_bar)).clamp(-1.0, 1.0)
        return torch.sqrt(before) * x_0 + torch.sqrt(1 - before) * eps

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
