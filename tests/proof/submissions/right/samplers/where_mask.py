"""The choice between mean and mean plus noise is made by torch.where, for each image; variance beta."""

import torch
from torch import Tensor, nn


class DDPMSampler(nn.Module):
    def __init__(self, diffusion, device) -> None:
        super().__init__()
        self.T = diffusion.num_timesteps
        self.device = device
        self.register_buffer("beta", diffusion.betas.clone())
        self.register_buffer("alpha_bar", diffusion.alpha_bar.clone())

    @torch.no_grad()
    def p_sample(self, model: nn.Module, x_t: Tensor, t: Tensor) -> Tensor:
        beta = self.beta[t].view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        mu = (x_t - beta / (1 - alpha_bar).sqrt() * model(x_t, t)) / (1 - beta).sqrt()
        noisy = torch.normal(mu, beta.sqrt().expand_as(mu))
        return torch.where(t.view(-1, 1, 1, 1) == 0, mu, noisy)

    @torch.no_grad()
    def sample(self, model: nn.Module, shape: tuple[int, int, int, int]) -> Tensor:
        model.eval()
        x = torch.randn(shape, device=self.device)
        for t in range(self.T, 0, -1):  # the paper's t
            x = self.p_sample(model, x, torch.full((shape[0],), t - 1, device=self.device))
        return x.clamp(-1, 1)
