"""betas from 1e-4 to 0.02 are written into the sampler: right for the shipped schedule only.

Caught by: level4.step.mean
Hint: on fixed betas from 1e-4 to 0.02
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.num_timesteps = diffusion.num_timesteps
        self.device = device
        self.beta = torch.linspace(1e-4, 0.02, self.num_timesteps).to(device)
        self.alpha = 1.0 - self.beta
        self.alpha_hat = torch.cumprod(self.alpha, dim=0)

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        alpha = self.alpha[t][:, None, None, None]
        alpha_hat = self.alpha_hat[t][:, None, None, None]
        beta = self.beta[t][:, None, None, None]
        noise = torch.randn_like(x_t) * (t > 0)[:, None, None, None]
        predicted_noise = model(x_t, t)
        x = 1 / torch.sqrt(alpha) * (x_t - ((1 - alpha) / (torch.sqrt(1 - alpha_hat))) * predicted_noise)
        return x + torch.sqrt(beta) * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.num_timesteps)):
            x = self.p_sample(model, x, torch.full((shape[0],), i, device=self.device))
        return x.clamp(-1, 1)
