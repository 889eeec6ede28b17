"""p_sample returns x_{t-1} together with the x_0 estimate, as published code does.

Caught by: level4.contract.shapes
Hint: p_sample returns x_{t-1} and nothing else
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, shape = self.diffusion, x_t.shape
        eps = model(x_t, t)
        x_start = (x_t - d.extract(d.sqrt_one_minus_alpha_bar, t, shape) * eps) / d.extract(d.sqrt_alpha_bar, t, shape)
        x_start = x_start.clamp(-1.0, 1.0)
        alpha, alpha_bar = d.extract(d.alphas, t, shape), d.extract(d.alpha_bar, t, shape)
        alpha_bar_prev = alpha_bar / alpha
        mean = alpha_bar_prev.sqrt() * (1 - alpha) / (1 - alpha_bar) * x_start
        mean = mean + alpha.sqrt() * (1 - alpha_bar_prev) / (1 - alpha_bar) * x_t
        pred_img = mean + d.extract(d.posterior_variance, t, shape).sqrt() * torch.randn_like(x_t)
        return pred_img, x_start

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        img = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            img, _ = self.p_sample(model, img, torch.full((shape[0],), i, device=self.device))
        return img.clamp(-1, 1)
