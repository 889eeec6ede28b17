"""All coefficients are made once, in __init__, as one table with a row for each t."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        d = diffusion
        self.device = torch.device(device)
        variance = torch.cat([torch.zeros_like(d.betas[:1]), d.betas[1:]])  # beta, and nothing at t = 0
        self.table = torch.stack([d.sqrt_recip_alpha, d.betas / d.sqrt_one_minus_alpha_bar, variance.sqrt()], dim=1).to(
            self.device
        )  # (T, 3)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        scale, weight, sigma = self.table[t].view(-1, 3, 1, 1, 1).unbind(1)  # each (B, 1, 1, 1)
        return scale * (x_t - weight * model(x_t, t)) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(len(self.table) - 1, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
