"""Coefficients are kept for all samplers of one number of steps, whatever their betas are.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    tables = {}  # noqa: RUF012  that is the fault

    def __init__(self, diffusion, device):
        d, self.diffusion, self.device = diffusion, diffusion, device
        table = d.sqrt_recip_alpha, d.betas / d.sqrt_one_minus_alpha_bar, d.posterior_variance.sqrt()
        self.table = self.tables.setdefault(d.num_timesteps, table)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        scale, weight, sigma = (values[t].view(-1, 1, 1, 1) for values in self.table)
        return scale * (x_t - weight * model(x_t, t)) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
