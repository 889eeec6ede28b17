"""The x_0 estimate is clipped to [-1, 1] and put into the posterior mean of Eq. 7."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        prev = torch.cat([torch.ones_like(diffusion.alpha_bar[:1]), diffusion.alpha_bar[:-1]])
        self.x0_weight = prev.sqrt() * diffusion.betas / (1 - diffusion.alpha_bar)
        self.xt_weight = diffusion.alphas.sqrt() * (1 - prev) / (1 - diffusion.alpha_bar)

    def predict_x0(self, x_t, t, eps):
        d = self.diffusion
        noise = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        return ((x_t - noise) / d.extract(d.sqrt_alpha_bar, t, x_t.shape)).clamp(-1, 1)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        x_0 = self.predict_x0(x_t, t, model(x_t, t))
        mean = d.extract(self.x0_weight, t, x_t.shape) * x_0 + d.extract(self.xt_weight, t, x_t.shape) * x_t
        std = d.extract(d.posterior_variance, t, x_t.shape) ** 0.5
        return mean + std * torch.randn_like(mean)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape).to(self.device)
        for i in range(self.diffusion.num_timesteps)[::-1]:
            x = self.p_sample(model, x, torch.tensor([i] * shape[0], device=self.device))
        return x.clip(-1, 1)
