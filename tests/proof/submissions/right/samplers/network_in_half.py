"""The network is given x in float16, and clipped_x0's mean has variance beta."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, shape = self.diffusion, x_t.shape
        eps = model(x_t.half(), t).float()
        signal, noise = d.extract(d.sqrt_alpha_bar, t, shape), d.extract(d.sqrt_one_minus_alpha_bar, t, shape)
        x_0 = ((x_t - noise * eps) / signal).clamp(-1, 1)
        beta, alpha, alpha_bar = (d.extract(v, t, shape) for v in (d.betas, d.alphas, d.alpha_bar))
        prev = alpha_bar / alpha
        mean = (prev.sqrt() * beta * x_0 + alpha.sqrt() * (1 - prev) * x_t) / (1 - alpha_bar)
        return mean + (t > 0).view(-1, 1, 1, 1) * beta.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
