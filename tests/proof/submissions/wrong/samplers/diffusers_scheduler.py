"""The steps are those of diffusers' DDPMScheduler.

Caught by: level4.own_work
"""

import torch
from diffusers import DDPMScheduler


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device
        self.scheduler = DDPMScheduler(
            num_train_timesteps=diffusion.num_timesteps, trained_betas=diffusion.betas.cpu().numpy(), clip_sample=False
        )

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        eps = model(x_t, t)
        rows = [self.scheduler.step(eps[i : i + 1], int(t[i]), x_t[i : i + 1]).prev_sample for i in range(len(t))]
        return torch.cat(rows)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
