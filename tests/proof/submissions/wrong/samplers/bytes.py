"""The images come back as uint8 from 0 to 255.

Caught by: level4.contract.shapes
Hint: leave out * 255
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.noise_steps = diffusion.num_timesteps
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        predicted_noise = model(x_t, t)
        alpha = self.diffusion.alphas[t][:, None, None, None]
        alpha_hat = self.diffusion.alpha_bar[t][:, None, None, None]
        beta = self.diffusion.betas[t][:, None, None, None]
        noise = torch.randn_like(x_t) * (t > 0)[:, None, None, None]
        mean = 1 / torch.sqrt(alpha) * (x_t - ((1 - alpha) / (torch.sqrt(1 - alpha_hat))) * predicted_noise)
        return mean + torch.sqrt(beta) * noise

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape).to(self.device)
        for i in reversed(range(self.noise_steps)):
            t = (torch.ones(shape[0]) * i).long().to(self.device)
            x = self.p_sample(model, x, t)
        x = (x.clamp(-1, 1) + 1) / 2
        return (x * 255).type(torch.uint8)
