"""The samples are squeezed for plotting, so that grey images lose their channel.

Caught by: level4.contract.shapes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        noise_level = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta * model(x_t, t) / noise_level)
        z = torch.randn_like(x_t) * (t > 0).view(-1, 1, 1, 1)
        return mean + torch.sqrt(beta) * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for step in range(self.diffusion.num_timesteps - 1, -1, -1):
            t = torch.full((shape[0],), step, device=self.device)
            x = self.p_sample(model, x, t)
        return x.clamp(-1, 1).squeeze()
