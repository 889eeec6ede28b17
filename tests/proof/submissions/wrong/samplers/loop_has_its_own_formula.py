"""p_sample is right, but sample has an older copy of the step in its loop, with beta for its root.

Caught by: level4.end_to_end
Hint: with no formula of its own
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
        return mean + (t > 0).view(-1, 1, 1, 1) * beta.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        d = self.diffusion
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(d.num_timesteps)):
            t = torch.full((shape[0],), i, device=self.device)
            z = torch.randn_like(x) if i > 0 else 0
            x = d.sqrt_recip_alpha[i] * (x - d.betas[i] / d.sqrt_one_minus_alpha_bar[i] * model(x, t)) + d.betas[i] * z
        return x.clamp(-1, 1)
