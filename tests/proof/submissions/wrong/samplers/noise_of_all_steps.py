"""sigma is sqrt(1 - alpha_bar), the noise of all steps together.

Caught by: level4.step.variance
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        beta = d.extract(d.betas, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta / root * model(x_t, t))
        z = torch.randn_like(x_t) * (t > 0).float().view(-1, 1, 1, 1)
        return mean + root * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
