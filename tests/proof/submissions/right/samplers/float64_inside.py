"""x is kept in float64 from step to step; the network sees float32, and so does the caller."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def step(self, x, eps, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x.shape) * (x - beta / root * eps)
        return mean + d.extract(d.posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        return self.step(x_t.double(), model(x_t.float(), t).double(), t).float()

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device).double()
        for i in reversed(range(self.diffusion.num_timesteps)):
            t = torch.full((shape[0],), i, device=self.device)
            x = self.step(x, model(x.float(), t).double(), t)
        return x.clamp(-1, 1).float()
