"""The constructor asks for the model as well, which the contract passes to sample only.

Caught by: level4.contract.builds
"""

import torch


class DDPMSampler:
    def __init__(self, model, diffusion, device):
        self.model = model
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        b, ab = d.extract(d.betas, t, x_t.shape), d.extract(d.alpha_bar, t, x_t.shape)
        mean = (x_t - b / (1 - ab).sqrt() * model(x_t, t)) / (1 - b).sqrt()
        mask = (t > 0).view(-1, 1, 1, 1)
        return mean + mask * b.sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
