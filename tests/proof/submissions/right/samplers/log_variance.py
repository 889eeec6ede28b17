"""Log-variance form: log beta-tilde, first entry taken from the second, exp(0.5 · logvar), noise masked at t = 0."""

import torch


def expand(values, t, ndim):
    out = values.gather(0, t.long())
    return out.reshape(out.shape[0], *((1,) * (ndim - 1)))


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion, self.device = diffusion, device
        variance = diffusion.posterior_variance.clone()
        if len(variance) > 1:
            variance[0] = variance[1]
        self.log_variance = torch.log(variance.clamp(min=1e-20))

    def p_mean_variance(self, model, x, t):
        d = self.diffusion
        eps = model(x, t)
        mean = expand(d.sqrt_recip_alpha, t, x.ndim) * (
            x - expand(d.betas, t, x.ndim) / expand(d.sqrt_one_minus_alpha_bar, t, x.ndim) * eps
        )
        return {"mean": mean, "log_variance": expand(self.log_variance, t, x.ndim)}

    @torch.no_grad()
    def p_sample(self, model, x_t, t):
        out = self.p_mean_variance(model, x_t, t)
        nonzero_mask = (t != 0).float().view(-1, *([1] * (x_t.ndim - 1)))
        return out["mean"] + nonzero_mask * torch.exp(0.5 * out["log_variance"]) * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, model, shape):
        model.eval()
        img = torch.randn(*shape, device=self.device)
        for i in list(range(self.diffusion.num_timesteps))[::-1]:
            img = self.p_sample(model, img, torch.tensor([i] * shape[0], device=self.device))
        return img.clamp(-1, 1)
