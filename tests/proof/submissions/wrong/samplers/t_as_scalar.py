"""In sample the network is given one t for all of the batch, a tensor without dimensions.

Caught by: level4.trace.timesteps
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        view = (-1, 1, 1, 1)
        eps = model(x_t, t)
        mean = d.sqrt_recip_alpha[t].view(view) * (
            x_t - d.betas[t].view(view) / d.sqrt_one_minus_alpha_bar[t].view(view) * eps
        )
        return mean + d.posterior_variance[t].view(view).sqrt() * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.tensor(i, device=self.device))
        return x.clamp(-1, 1)
