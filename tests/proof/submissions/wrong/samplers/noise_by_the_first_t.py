"""Whether noise is added is decided for all images by t[0].

Caught by: level4.step.mixed_t
Hint: speak for the whole batch
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
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        if t[0] == 0:
            return mean
        return mean + beta.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
