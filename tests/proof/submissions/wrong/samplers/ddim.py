"""The deterministic step of DDIM, all T of them.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.alpha_bar_prev = torch.nn.functional.pad(diffusion.alpha_bar[:-1], (1, 0), value=1.0)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = model(x_t, t)
        x_0 = (x_t - d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps) / d.extract(
            d.sqrt_alpha_bar, t, x_t.shape
        )
        prev = d.extract(self.alpha_bar_prev, t, x_t.shape)
        return prev.sqrt() * x_0 + (1 - prev).sqrt() * eps

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
