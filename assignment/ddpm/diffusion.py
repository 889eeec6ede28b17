"""The forward process of DDPM (Ho et al. 2020, arXiv 2006.11239): noise schedule, q(x_t | x_0), training loss.

THE index convention, said once: timesteps are 0 … T-1, and t = 0 is the *least noisy* step,

    x_t = sqrt_alpha_bar[t] · x_0 + sqrt_one_minus_alpha_bar[t] · eps,      eps ~ N(0, I)

so our t is the paper's t - 1. A network is trained on every t in [0, T), and a sampler visits T-1, …, 1, 0.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from assignment.ddpm.config import Config


class GaussianDiffusion:
    """Linear beta schedule and everything that follows from it.

    Each schedule is a float32 tensor of shape (T,) on `device`, computed in float64: at small t alpha_bar is almost 1,
    and in float32 the difference 1 - alpha_bar would already be off in the fourth digit.

    Attributes:
        betas: variance of the noise that step t adds (section 4: 1e-4 … 0.02, linear)
        alphas: 1 - beta
        alpha_bar: product of alphas 0 … t
        sqrt_alpha_bar, sqrt_one_minus_alpha_bar: weights of image and noise in x_t (Eq. 4)
        sqrt_recip_alpha: 1 / sqrt(alpha) (Eq. 11)
        posterior_variance: beta-tilde_t, the variance of q(x_{t-1} | x_t, x_0) (Eq. 7); 0 at t = 0
    """

    def __init__(
        self,
        num_timesteps: int = 1000,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        device: torch.device | str = "cpu",
    ) -> None:
        self.num_timesteps = num_timesteps
        self.device = torch.device(device)

        # Both ends are included: betas[0] = beta_start and betas[T-1] = beta_end are the paper's beta_1 and beta_T.
        self._follow(torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64))  # (T,)

    @classmethod
    def of(cls, config: Config, device: torch.device | str = "cpu") -> "GaussianDiffusion":
        """The diffusion that a configuration describes."""
        return cls(config.model.num_timesteps, config.diffusion.beta_start, config.diffusion.beta_end, device)

    def _follow(self, betas: Tensor) -> None:
        """Compute every schedule from the betas (T,), float64."""
        alphas = 1 - betas  # (T,)
        alpha_bar = alphas.cumprod(0)  # (T,) falls from nearly 1 to nearly 0: x_{T-1} is almost pure noise
        # The paper's alpha_bar_{t-1}. Before the first step nothing has been noised, so there it is 1.
        alpha_bar_prev = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])  # (T,)

        def offer(values: Tensor) -> Tensor:
            return values.float().to(self.device)  # in this order: MPS has no float64

        # Every root and quotient is taken before rounding to float32, so each entry is off by one rounding only.
        self.betas = offer(betas)  # Eq. 2
        self.alphas = offer(alphas)
        self.alpha_bar = offer(alpha_bar)
        self.sqrt_alpha_bar = offer(alpha_bar.sqrt())
        self.sqrt_one_minus_alpha_bar = offer((1 - alpha_bar).sqrt())  # the standard deviation of the noise in x_t
        self.sqrt_recip_alpha = offer(alphas.rsqrt())
        self.posterior_variance = offer(betas * (1 - alpha_bar_prev) / (1 - alpha_bar))

    def extract(self, values: Tensor, t: Tensor, x_shape: tuple[int, ...]) -> Tensor:
        """Pick each sample's own entry of a schedule: values (T,), t (B,) → (B, 1, 1, 1), to scale x of `x_shape`."""
        # Without the trailing 1s, (B,) would broadcast along the width of the images instead of along the batch,
        # and for B = W do so without an error. t has to be integer: a bool or uint8 tensor would index as a mask.
        return values[t].view(-1, *[1] * (len(x_shape) - 1))  # (B,) → (B, 1, 1, 1)

    def q_sample(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Noise images in one jump to step t (Eq. 4): x_0 and noise (B, C, H, W), t (B,) → x_t (B, C, H, W)."""
        return (
            self.extract(self.sqrt_alpha_bar, t, x_0.shape) * x_0  # (B, 1, 1, 1) · (B, C, H, W)
            + self.extract(self.sqrt_one_minus_alpha_bar, t, x_0.shape) * noise
        )  # the squares of both weights sum to 1: images of variance 1 keep it at every t

    def training_loss(self, model: Callable[..., Tensor], x_0: Tensor, *y: Tensor) -> Tensor:
        """L_simple (Eq. 14): mean squared error of the predicted noise, at random t, for x_0 (B, C, H, W) → scalar.

        Labels y (B,), if there are any, go to the model as they are.
        """
        # Algorithm 1. Each image has its own t, and the upper end is exclusive: 0 … T-1 is the paper's 1 … T.
        t = torch.randint(0, self.num_timesteps, (len(x_0),), device=x_0.device)  # (B,)
        noise = torch.randn_like(x_0)  # (B, C, H, W)
        # .float(): the answer may come in half precision, which is too coarse to average squares in
        return F.mse_loss(model(self.q_sample(x_0, t, noise), t, *y).float(), noise)


def stratified_timesteps(
    positions: Tensor, num_timesteps: int, generator: torch.Generator, *, lower: float = 0.0, upper: float = 1.0
) -> Tensor:
    """One random timestep in each N-th part of [lower·T, upper·T): no range of t is left to luck.

    Args:
        positions: which part each timestep comes from, 0 … N-1 in any order, (N,)
    Returns:
        (N,) int64
    """
    luck = torch.rand(len(positions), generator=generator, dtype=torch.float64)
    return timesteps_within(positions, luck, num_timesteps, lower=lower, upper=upper)


def timesteps_within(
    positions: Tensor, luck: Tensor, num_timesteps: int, *, lower: float = 0.0, upper: float = 1.0
) -> Tensor:
    """The same, with the place within each part given: `luck` in [0, 1), (N,) float64."""
    # rounding may lift the last part to 1, and so t to T, for which no schedule has an entry: hence the clamp
    parts = (positions + luck) / len(positions)  # (N,) in [0, 1)
    return ((lower + parts * (upper - lower)) * num_timesteps).long().clamp(max=num_timesteps - 1)
