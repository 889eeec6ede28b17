"""The loop goes up from t = 0 to T-1.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps_theta = model(x_t, t)
        eps_coef = d.extract((1 - d.alphas) / (1 - d.alpha_bar) ** 0.5, t, x_t.shape)
        mean = 1 / (d.extract(d.alphas, t, x_t.shape) ** 0.5) * (x_t - eps_coef * eps_theta)
        var = d.extract(d.posterior_variance, t, x_t.shape)
        return mean + (var**0.5) * torch.randn(x_t.shape, device=x_t.device)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for t_ in range(self.diffusion.num_timesteps):
            x = self.p_sample(model, x, x.new_full((shape[0],), t_, dtype=torch.long))
        return x.clamp(-1, 1)
