"""t is given to the network as a column, (B, 1).

Caught by: level4.trace.timesteps
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t.reshape(-1, 1))
        sigma2 = d.extract(d.betas, t, x_t.shape)
        mu = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - sigma2 / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        )
        keep = 1 - (t == 0).to(x_t.dtype).reshape(-1, 1, 1, 1)
        return mu + keep * sigma2.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps - 1, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
