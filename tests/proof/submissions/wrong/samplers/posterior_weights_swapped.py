"""In Eq. 7 the weights of x_0 and x_t have changed places.

Caught by: level4.step.mean
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        alpha_bar_prev = torch.cat([torch.ones_like(diffusion.betas[:1]), diffusion.alpha_bar[:-1]])
        self.coef1 = diffusion.betas * alpha_bar_prev.sqrt() / (1 - diffusion.alpha_bar)
        self.coef2 = (1 - alpha_bar_prev) * diffusion.alphas.sqrt() / (1 - diffusion.alpha_bar)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        ext = lambda values: d.extract(values, t, x_t.shape)  # noqa: E731
        x_start = (x_t - ext(d.sqrt_one_minus_alpha_bar) * model(x_t, t)) / ext(d.sqrt_alpha_bar)
        x_start = x_start.clamp(-1, 1)
        mean = ext(self.coef1) * x_t + ext(self.coef2) * x_start
        return mean + ext(d.posterior_variance).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
