"""DDPM's posterior (Eq. 7 of Ho et al.) of the jump, its mean moved along eps as eta asks for."""

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
        beta = 1 - a / prev  # of a single step of that length
        variance = (1 - prev) / (1 - a) * beta
        eps = model(x_t, t)
        mean = (x_t - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()
        less = (1 - prev - self.eta**2 * variance).clamp(min=0).sqrt() - (1 - prev - variance).clamp(min=0).sqrt()
        return mean + less * eps + self.eta * variance.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        visited = torch.linspace(self.diffusion.num_timesteps - 1, 0, self.steps).round().long().tolist()
        for t, t_prev in zip(visited, [*visited[1:], -1], strict=True):
            x = self.p_sample(model, x, *(torch.full((shape[0],), n, device=self.device) for n in (t, t_prev)))
        return x.clamp(-1, 1)
