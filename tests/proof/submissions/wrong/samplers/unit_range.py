"""The images are brought to [0, 1] for showing them.

Caught by: level4.contract.range
Hint: Images live in [−1, 1] here, not in [0, 1]
"""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.device = device
        self.diffusion = diffusion
        self.eps_coef = diffusion.betas / diffusion.sqrt_one_minus_alpha_bar
        self.sigma = diffusion.posterior_variance.sqrt()

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        def _(v):
            return v[t].reshape(-1, 1, 1, 1)

        mean = _(self.diffusion.sqrt_recip_alpha) * (x_t - _(self.eps_coef) * model(x_t, t))
        return mean + _(self.sigma) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        x = torch.randn(shape, device=self.device)
        for i in range(len(self.sigma) - 1, -1, -1):
            x = self.p_sample(model, x, torch.tensor([i] * shape[0], device=self.device))
        return (x.clamp(-1, 1) + 1) / 2
