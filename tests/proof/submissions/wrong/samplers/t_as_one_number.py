"""p_sample takes t for one number: t.item() in each look-up.

Caught by: level4.contract.shapes
Hint: t is no single number
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        step = t.item()
        beta, alpha = self.diffusion.betas[step], self.diffusion.alphas[step]
        alpha_bar = self.diffusion.alpha_bar[step]
        t_batch = torch.full((x_t.shape[0],), step, device=x_t.device, dtype=torch.long)
        mean = (x_t - beta / torch.sqrt(1 - alpha_bar) * model(x_t, t_batch)) / torch.sqrt(alpha)
        return mean + torch.sqrt(beta) * torch.randn_like(x_t) if step > 0 else mean

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in reversed(range(self.diffusion.num_timesteps)):
            x = self.p_sample(model, x, torch.tensor(i, device=self.device))
        return x.clamp(-1, 1)
