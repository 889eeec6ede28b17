"""The clipped log-variance replaces diffusion's first entry when the sampler is built.

Caught by: level4.behaviour.leaves_alone
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        if diffusion.num_timesteps > 1:
            diffusion.posterior_variance[0] = diffusion.posterior_variance[1]
        self.log_variance = diffusion.posterior_variance.clamp(min=1e-20).log()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta / root * model(x_t, t))
        sigma = (0.5 * d.extract(self.log_variance, t, x_t.shape)).exp()
        return mean + (t > 0).view(-1, 1, 1, 1) * sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
