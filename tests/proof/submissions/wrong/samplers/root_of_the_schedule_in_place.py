"""The constructor takes the root of diffusion's posterior variance in place: right for this sampler, and for no other.

Caught by: level4.behaviour.leaves_alone
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.sigma = diffusion.posterior_variance.sqrt_()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta / root * model(x_t, t))
        return mean + d.extract(self.sigma, t, x_t.shape) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
