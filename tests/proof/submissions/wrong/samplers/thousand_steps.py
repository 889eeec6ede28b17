"""The loop has 1000 steps, whatever the schedule has.

Caught by: level4.contract.other_sizes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        diff = self.diffusion
        mean = diff.extract(diff.sqrt_recip_alpha, t, x_t.shape) * (
            x_t
            - diff.extract(diff.betas, t, x_t.shape)
            * model(x_t, t)
            / diff.extract(diff.sqrt_one_minus_alpha_bar, t, x_t.shape)
        )
        return mean + torch.sqrt(diff.extract(diff.posterior_variance, t, x_t.shape)) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for t in range(999, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), t, device=self.device))
        return x.clamp(-1, 1)
