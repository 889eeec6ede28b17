"""model.train() is called inside the loop, so that only the first step runs in eval mode.

Caught by: level4.trace.eval_mode
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        a, b = d.extract(d.alphas, t, x_t.shape), d.extract(d.alpha_bar, t, x_t.shape)
        mean = (x_t - (1 - a) / (1 - b).sqrt() * model(x_t, t)) / a.sqrt()
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            t = torch.full((shape[0],), i, device=self.device)
            x = self.p_sample(model, x, t)
            model.train()
        return x.clamp(-1, 1)
