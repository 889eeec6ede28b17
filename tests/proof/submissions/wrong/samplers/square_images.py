"""x_T is drawn with the height for the width too, so images must be square.

Caught by: level4.contract.other_sizes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.d = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        shape = x_t.shape
        beta = self.d.extract(self.d.betas, t, shape)
        root = self.d.extract(self.d.sqrt_one_minus_alpha_bar, t, shape)
        recip = self.d.extract(self.d.sqrt_recip_alpha, t, shape)
        sigma = self.d.extract(self.d.posterior_variance, t, shape).sqrt()
        return recip * (x_t - beta / root * model(x_t, t)) + sigma * torch.randn(shape, device=x_t.device)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        n, channels, size = shape[:3]
        x = torch.randn((n, channels, size, size), device=self.device)
        for i in reversed(range(self.d.num_timesteps)):
            x = self.p_sample(model, x, torch.full((n,), i, device=self.device))
        return x.clamp(-1, 1)
