"""t goes to the network as int32, and the result is clamped in place."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        i = t.long()
        d, shape = self.diffusion, x_t.shape
        x = d.extract(d.sqrt_recip_alpha, i, shape) * x_t
        weight = d.sqrt_recip_alpha * d.betas / d.sqrt_one_minus_alpha_bar
        x = x - d.extract(weight, i, shape) * model(x_t, t)
        std = torch.sqrt(d.extract(d.posterior_variance, i, shape))
        return x + std * torch.randn(shape, dtype=x.dtype, device=x.device)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        countdown = torch.arange(self.diffusion.num_timesteps, dtype=torch.int32, device=self.device).flip(0)
        x = torch.randn(shape, device=self.device)
        for t in countdown:
            x = self.p_sample(model, x, t.expand(shape[0]))
        return x.clamp_(-1, 1)
