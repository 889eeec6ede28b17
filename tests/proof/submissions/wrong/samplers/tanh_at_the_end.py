"""The images are squashed with tanh to bring them into [-1, 1].

Caught by: level4.end_to_end
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        alpha, alpha_bar = d.extract(d.alphas, t, x_t.shape), d.extract(d.alpha_bar, t, x_t.shape)
        mean = (x_t - (1 - alpha) / torch.sqrt(1 - alpha_bar) * model(x_t, t)) / torch.sqrt(alpha)
        return mean + d.extract(d.posterior_variance, t, x_t.shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return torch.tanh(x)
