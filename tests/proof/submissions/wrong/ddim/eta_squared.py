"""eta is squared.

Caught by: level5.step.variance
Hint: yours has eta²
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
        a, prev = self.bar(t, x_t.shape), self.bar(t_prev, x_t.shape)
        eps = model(x_t, t)
        x_0 = (x_t - (1 - a).sqrt() * eps) / a.sqrt()
        sigma = self.eta**2 * ((1 - prev) / (1 - a)).sqrt() * (1 - a / prev).sqrt()
        direction = (1 - prev - sigma**2).clamp(min=0).sqrt() * eps
        return prev.sqrt() * x_0 + direction + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        visited = torch.linspace(self.diffusion.num_timesteps - 1, 0, self.steps).round().long().tolist()
        for t, t_prev in zip(visited, [*visited[1:], -1], strict=True):
            x = self.p_sample(model, x, *(torch.full((shape[0],), n, device=self.device) for n in (t, t_prev)))
        return x.clamp(-1, 1)
