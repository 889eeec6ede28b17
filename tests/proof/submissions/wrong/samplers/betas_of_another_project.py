"""A schedule object of its own, with the ends that another project used.

Caught by: level4.step.mean
Hint: the same on every schedule
"""

import torch


class Schedule:
    def __init__(self, steps, device, start=0.0015, end=0.0195):
        self.beta = torch.linspace(start, end, steps, device=device)
        self.alpha = 1 - self.beta
        self.alpha_bar = self.alpha.cumprod(0)
        previous = torch.cat([torch.ones(1, device=device), self.alpha_bar[:-1]])
        self.variance = self.beta * (1 - previous) / (1 - self.alpha_bar)

    def at(self, t):
        return (v[t].view(-1, 1, 1, 1) for v in (self.beta, self.alpha, self.alpha_bar, self.variance))


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.device = device
        self.steps = diffusion.num_timesteps
        self.schedule = Schedule(self.steps, device)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        beta, alpha, alpha_bar, variance = self.schedule.at(t)
        mean = (x_t - beta / (1 - alpha_bar).sqrt() * model(x_t, t)) / alpha.sqrt()
        return mean + variance.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.steps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
