"""The images returned are those before the last step, whose result is dropped.

Caught by: level4.end_to_end
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        weight = d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - weight * model(x_t, t))
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        history = [torch.randn(shape, device=self.device)]
        for i in reversed(range(self.diffusion.num_timesteps)):
            t = torch.full((shape[0],), i, device=self.device)
            history = [history[-1], self.p_sample(model, history[-1], t)]
        return history[0].clamp(-1, 1)
