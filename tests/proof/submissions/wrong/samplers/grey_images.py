"""x_T always has one channel.

Caught by: level4.contract.other_sizes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        betas_t = d.extract(d.betas, t, x_t.shape)
        model_mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - betas_t * model(x_t, t) / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        )
        posterior_variance_t = d.extract(d.posterior_variance, t, x_t.shape)
        return model_mean + torch.sqrt(posterior_variance_t) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        b, h, w = shape[0], shape[-2], shape[-1]
        img = torch.randn((b, 1, h, w), device=self.device)
        for i in reversed(range(0, self.diffusion.num_timesteps)):
            img = self.p_sample(model, img, torch.full((b,), i, device=self.device, dtype=torch.long))
        return img.clamp(-1, 1)
