"""Algorithm 2 to the letter: Eq. 11, variance beta-tilde, which is 0 at t = 0 by itself."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = torch.device(device)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t)
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta * eps / root)
        variance = d.extract(d.posterior_variance, t, x_t.shape)
        return mean + variance.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps - 1, -1, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device, dtype=torch.long))
        return x.clamp(-1, 1)
