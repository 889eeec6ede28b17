"""A schedule of its own, in float64 from diffusion.betas; float32 only at the network."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.device = device
        self.T = len(diffusion.betas)
        beta = diffusion.betas.detach().cpu().double()
        alpha = 1.0 - beta
        bar = torch.cumprod(alpha, dim=0)
        bar_prev = torch.cat((torch.ones(1, dtype=torch.float64), bar[:-1]))
        self.a = alpha.rsqrt()
        self.b = beta / (alpha * (1 - bar)).sqrt()
        self.sigma = (beta * (1 - bar_prev) / (1 - bar)).sqrt()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        index = t.cpu()
        a, b, sigma = (c[index].float().to(x_t.device).reshape(-1, 1, 1, 1) for c in (self.a, self.b, self.sigma))
        return a * x_t - b * model(x_t, t) + sigma * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x_t = torch.randn(shape, device=self.device)
        for t in range(self.T - 1, -1, -1):
            x_t = self.p_sample(model, x_t, torch.full((shape[0],), t, device=self.device))
        return x_t.clamp(-1, 1)
