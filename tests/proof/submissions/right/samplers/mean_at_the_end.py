"""The loop stops at t = 1, and the mean of the last step is returned after it, clamped."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def mean(self, model, x_t, t):
        d = self.diffusion
        beta, root = (d.extract(v, t, x_t.shape) for v in (d.betas, d.sqrt_one_minus_alpha_bar))
        return (x_t - beta / root * model(x_t, t)) * d.extract(d.sqrt_recip_alpha, t, x_t.shape)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        mean = self.mean(model, x_t, t)
        sigma = self.diffusion.extract(self.diffusion.betas, t, x_t.shape).sqrt()
        return torch.where((t > 0).view(-1, 1, 1, 1), mean + sigma * torch.randn_like(mean), mean)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(self.diffusion.num_timesteps - 1, 0, -1):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        x_0 = self.mean(model, x, torch.zeros(shape[0], dtype=torch.long, device=self.device))
        return torch.clamp(x_0, -1, 1)
