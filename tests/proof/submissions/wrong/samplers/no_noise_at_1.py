"""The paper's `z = 0 if t = 1` as it stands there: no noise at our t = 1 either.

Caught by: level4.step.variance
Hint: Write t > 0 where you have t > 1.
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.extract(d.betas, t, x_t.shape)
        root = d.extract(d.sqrt_one_minus_alpha_bar, t, x_t.shape)
        mean = (x_t - beta / root * model(x_t, t)) / torch.sqrt(1 - beta)
        z = torch.where((t > 1).view(-1, 1, 1, 1), torch.randn_like(x_t), torch.zeros_like(x_t))
        return mean + torch.sqrt(beta) * z

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
