"""exp(log-variance) without the 0.5: the standard deviation is a variance.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.log_var = diffusion.betas.log()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        weight = d.extract(d.betas / d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - weight * model(x_t, t))
        mask = (t != 0).float().view(-1, 1, 1, 1)
        return mean + mask * torch.exp(d.extract(self.log_var, t, x_t.shape)) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
