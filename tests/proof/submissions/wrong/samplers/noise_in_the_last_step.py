"""The last step adds noise as well, with sigma² = beta: 0.01 at T = 1000, hard to see.

Caught by: level4.step.last_step
Hint: multiply the noise by (t > 0)
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
        eps_coef = beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - eps_coef * model(x_t, t))
        eps = torch.randn(x_t.shape, device=x_t.device)
        return mean + beta**0.5 * eps

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
