"""Noise halfway between beta-tilde and beta, as a learned variance would have it.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        small = diffusion.posterior_variance.clone()
        small[0] = small[1] if len(small) > 1 else diffusion.betas[0]
        self.log_variance = 0.5 * small.log() + 0.5 * diffusion.betas.log()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = (x_t - beta / root * model(x_t, t)) * d.extract(d.sqrt_recip_alpha, t, x_t.shape)
        std = (0.5 * d.extract(self.log_variance, t, x_t.shape)).exp()
        return mean + (t != 0).float().view(-1, 1, 1, 1) * std * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
