"""alpha_bar of the step before repeats its first entry where 1 belongs, so beta-tilde is not 0 at t = 0.

Caught by: level4.step.last_step
Hint: alpha_bar_prev at t = 0 is 1
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        before = torch.cat([diffusion.alpha_bar[:1], diffusion.alpha_bar[:-1]])
        self.variance = diffusion.betas * (1 - before) / (1 - diffusion.alpha_bar)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        )
        return mean + d.extract(self.variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
