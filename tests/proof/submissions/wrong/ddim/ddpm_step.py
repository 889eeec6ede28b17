"""A step of DDPM, as if t_prev were t - 1.

Caught by: level5.step.mean
Hint: That is Algorithm 2 of Ho et al. 2020
"""

import torch


class DDIMSampler:
    def __init__(self, diffusion, device, steps, eta):
        self.diffusion = diffusion
        self.device = device
        self.steps = steps
        self.eta = eta

    def bar(self, t, shape):
        bars = torch.cat([self.diffusion.alpha_bar, torch.ones(1, device=self.device)])
        return bars[t].view(-1, *[1] * (len(shape) - 1))

    @torch.no_grad()
    def p_sample(self, model, x_t, t, t_prev):
        d, shape = self.diffusion, x_t.shape
        weight = d.extract(d.betas, t, shape) / d.extract(d.sqrt_one_minus_alpha_bar, t, shape)
        mean = d.extract(d.sqrt_recip_alpha, t, shape) * (x_t - weight * model(x_t, t))
        return mean + d.extract(d.posterior_variance, t, shape).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        visited = torch.linspace(self.diffusion.num_timesteps - 1, 0, self.steps).round().long().tolist()
        for t, t_prev in zip(visited, [*visited[1:], -1], strict=True):
            x = self.p_sample(model, x, *(torch.full((shape[0],), n, device=self.device) for n in (t, t_prev)))
        return x.clamp(-1, 1)
