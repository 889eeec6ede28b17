"""All images of a batch start from the same x_T.

Caught by: level4.trace.starts_from_noise
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, s = self.diffusion, x_t.shape
        noise_pred = model(x_t, t)
        mean = (x_t - noise_pred * d.extract(d.betas, t, s) / d.extract(d.sqrt_one_minus_alpha_bar, t, s)) * d.extract(
            d.sqrt_recip_alpha, t, s
        )
        return mean + torch.randn_like(x_t) * d.extract(d.posterior_variance, t, s).sqrt()

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        batch, channels, height, width = shape
        x = torch.randn(1, channels, height, width, device=self.device).repeat(batch, 1, 1, 1)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((batch,), i, device=self.device))
        return x.clamp(-1, 1)
