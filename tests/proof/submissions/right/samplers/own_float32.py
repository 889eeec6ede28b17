"""A schedule of its own in float32, with all its rounding, and beta-tilde from alpha_bar / alpha."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.device = torch.device(device)
        self.beta = diffusion.betas.to(self.device)
        self.alpha = 1 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.before = self.alpha_bar / self.alpha
        self.variance = (self.beta * (1 - self.before) / (1 - self.alpha_bar)).clamp(min=0)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        beta, alpha, bar, before, variance = (
            values[t].view(-1, 1, 1, 1)
            for values in (self.beta, self.alpha, self.alpha_bar, self.before, self.variance)
        )
        x_0 = torch.clamp((x_t - torch.sqrt(1 - bar) * model(x_t, t)) / torch.sqrt(bar), -1, 1)
        mean = torch.sqrt(before) * beta / (1 - bar) * x_0 + torch.sqrt(alpha) * (1 - before) / (1 - bar) * x_t
        return mean + torch.sqrt(variance) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(len(self.beta))):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
