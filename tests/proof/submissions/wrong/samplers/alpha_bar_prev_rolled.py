"""alpha_bar[t - 1] is the last entry at t = 0, so the last mean weighs x_0 and x_t wrongly.

Caught by: level4.step.last_step
Hint: alpha_bar_prev at t = 0 is 1
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d, shape = self.diffusion, x_t.shape
        beta, alpha = d.extract(d.betas, t, shape), d.extract(d.alphas, t, shape)
        alpha_bar, before = d.extract(d.alpha_bar, t, shape), d.extract(d.alpha_bar, t - 1, shape)
        x_0 = (x_t - (1 - alpha_bar).sqrt() * model(x_t, t)) / alpha_bar.sqrt()
        x_0 = x_0.clamp(-1, 1)
        mean = before.sqrt() * beta / (1 - alpha_bar) * x_0 + alpha.sqrt() * (1 - before) / (1 - alpha_bar) * x_t
        return mean + (t > 0).view(-1, 1, 1, 1) * beta.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
