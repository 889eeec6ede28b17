"""The network's output goes into Eq. 7 as if it were x_0.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def posterior(self, x_0, x_t, t):
        d = self.diffusion
        a, ab, b = (d.extract(v, t, x_t.shape) for v in (d.alphas, d.alpha_bar, d.betas))
        before = ab / a
        return (before.sqrt() * b * x_0 + a.sqrt() * (1 - before) * x_t) / (1 - ab)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        x_0 = model(x_t, t).clamp(-1, 1)
        z = torch.randn_like(x_t)
        d = self.diffusion
        return self.posterior(x_0, x_t, t) + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
