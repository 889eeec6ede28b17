"""Each step estimates x_0 and noises it to t - 1 with q_sample.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def predict_start(self, x_t, t, eps):
        d = self.diffusion
        return (x_t - d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps) / d.extract(
            d.sqrt_alpha_bar, t, x_t.shape
        )

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        x_0 = self.predict_start(x_t, t, model(x_t, t)).clamp(-1, 1)
        noised = self.diffusion.q_sample(x_0, (t - 1).clamp(min=0), torch.randn_like(x_0))
        return torch.where((t == 0).view(-1, 1, 1, 1), x_0, noised)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
