"""DDIM: one call of the network for the batch, then plain numbers image by image."""

import math

import torch


class DDIMSampler:
    def __init__(self, diffusion, device, steps, eta):
        self.diffusion = diffusion
        self.device = device
        self.steps = steps
        self.eta = eta

    def one(self, x, eps, t, t_prev):
        a = self.diffusion.alpha_bar[t].item()
        prev = self.diffusion.alpha_bar[t_prev].item() if t_prev >= 0 else 1.0
        sigma = self.eta * math.sqrt((1 - prev) / (1 - a) * (1 - a / prev))
        x_0 = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
        mean = math.sqrt(prev) * x_0 + math.sqrt(max(1 - prev - sigma**2, 0)) * eps
        return mean + sigma * torch.randn_like(x) if sigma else mean

    @torch.no_grad()
    def p_sample(self, model, x_t, t, t_prev):
        parts = zip(x_t, model(x_t, t), t.tolist(), t_prev.tolist(), strict=True)
        return torch.stack([self.one(*part) for part in parts])

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        visited = torch.linspace(self.diffusion.num_timesteps - 1, 0, self.steps).round().long().tolist()
        for t, t_prev in zip(visited, [*visited[1:], -1], strict=True):
            x = self.p_sample(model, x, *(torch.full((shape[0],), n, device=self.device) for n in (t, t_prev)))
        return x.clamp(-1, 1)
