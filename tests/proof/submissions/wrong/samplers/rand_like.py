"""z is drawn with rand_like where randn_like is meant.

Caught by: level4.step.gaussian
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        alphas, alpha_bar, betas = self.diffusion.alphas, self.diffusion.alpha_bar, self.diffusion.betas
        a = alphas[t].view(-1, 1, 1, 1)
        ab = alpha_bar[t].view(-1, 1, 1, 1)
        b = betas[t].view(-1, 1, 1, 1)
        z = torch.rand_like(x_t) * (t > 0).view(-1, 1, 1, 1)
        return (x_t - (1 - a) / (1 - ab).sqrt() * model(x_t, t)) / a.sqrt() + b.sqrt() * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
