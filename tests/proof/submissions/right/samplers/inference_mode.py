"""torch.inference_mode around the loop only; p_sample itself leaves gradients to its caller."""

import torch


class DDPMSampler:
    def __init__(self, diffusion, device):
        self.diffusion = diffusion
        self.device = torch.device(device)

    def p_sample(self, model, x_t, t):
        diffusion, shape = self.diffusion, x_t.shape
        eps_theta = model(x_t, t)
        scale = diffusion.extract(diffusion.betas / diffusion.sqrt_one_minus_alpha_bar, t, shape)
        mean = (x_t - scale * eps_theta) * diffusion.extract(diffusion.sqrt_recip_alpha, t, shape)
        sigma = diffusion.extract(diffusion.posterior_variance, t, shape).sqrt()
        return torch.addcmul(mean, sigma.expand_as(mean), torch.randn_like(mean))

    def sample(self, model, shape):
        model.eval()
        with torch.inference_mode():
            x = torch.empty(shape, device=self.device).normal_()
            for i in range(self.diffusion.num_timesteps):
                step = self.diffusion.num_timesteps - 1 - i
                x = self.p_sample(model, x, torch.full((shape[0],), step, device=self.device))
            return x.clamp(min=-1, max=1)
