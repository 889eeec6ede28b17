"""Each step asks the network twice, once for x_0 and once for eps: right, at double the price.

Caught by: level4.trace.every_step_once
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    def predict_x0(self, model, x_t, t):
        d = self.diffusion
        noise = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * model(x_t, t)
        return ((x_t - noise) / d.extract(d.sqrt_alpha_bar, t, x_t.shape)).clamp(-1, 1)

    def predict_eps(self, model, x_t, t):
        return model(x_t, t)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        eps = self.predict_eps(model, x_t, t)
        self.last_x0 = self.predict_x0(model, x_t, t)  # to look at
        beta = d.extract(d.betas, t, x_t.shape)
        mean = d.extract(d.sqrt_recip_alpha, t, x_t.shape) * (
            x_t - beta / d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape) * eps
        )
        return mean + beta.sqrt() * torch.randn_like(x_t) * (t > 0).view(-1, 1, 1, 1)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
