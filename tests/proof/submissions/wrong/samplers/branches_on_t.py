"""Whether noise is added is asked of the whole batch: `if t > 0:`, and t is (B,).

Caught by: level4.contract.shapes
Hint: (t > 0).view(-1, 1, 1, 1) * noise
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
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (x_t - beta / root * model(x_t, t))
        if t > 0:  # noqa: SIM108  as people write it
            noise = torch.randn_like(x_t)
        else:
            noise = torch.zeros_like(x_t)
        return mean + torch.sqrt(beta) * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
