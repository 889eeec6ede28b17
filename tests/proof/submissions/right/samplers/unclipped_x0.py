"""Eq. 7 through an x_0 estimate that nobody clips: the same function as Eq. 11, up to rounding."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.d, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        ext = lambda v: self.d.extract(v, t, x_t.shape)  # noqa: E731
        a, ab, b = ext(self.d.alphas), ext(self.d.alpha_bar), ext(self.d.betas)
        ab_prev = ab / a
        x0 = (x_t - torch.sqrt(1 - ab) * model(x_t, t)) / torch.sqrt(ab)
        mu = (torch.sqrt(ab_prev) * b * x0 + torch.sqrt(a) * (1 - ab_prev) * x_t) / (1 - ab)
        sigma = torch.sqrt(b)
        z = torch.randn_like(x_t)
        z[t == 0] = 0
        return mu + sigma * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        t = self.d.num_timesteps - 1
        while t >= 0:
            x = self.p_sample(model, x, torch.full((len(x),), t, device=self.device))
            t -= 1
        return x.clamp(-1, 1)
