"""sample returns a list with the images of every step, for a film, instead of the last ones.

Caught by: level4.contract.shapes
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion, self.device = diffusion, device

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        d = self.diffusion
        beta = d.betas[t].view(-1, 1, 1, 1)
        x = d.sqrt_recip_alpha[t].view(-1, 1, 1, 1) * (
            x_t - beta / d.sqrt_one_minus_alpha_bar[t].view(-1, 1, 1, 1) * model(x_t, t)
        )
        return x + d.posterior_variance[t].view(-1, 1, 1, 1).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        img = torch.randn(shape, device=self.device)
        imgs = []
        for i in reversed(range(self.diffusion.num_timesteps)):
            img = self.p_sample(model, img, torch.full((shape[0],), i, device=self.device, dtype=torch.long))
            imgs.append(img.clamp(-1, 1).cpu())
        return imgs
