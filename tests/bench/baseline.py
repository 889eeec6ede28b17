"""The plain variant, as the exercise was first written: the baseline of `make bench`.

A DataLoader with two workers that converts images to tensors one by one, float32, eager, Adam, the loss read back at
each step; a sampler that is a plain loop.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class ImageDataset(Dataset):
    """uint8 images (N, C, H, W), returned one at a time, like torchvision's data sets."""

    def __init__(self, images: Tensor) -> None:
        channels = images.shape[1]
        self.images = images.permute(0, 2, 3, 1).numpy()
        half = (0.5,) * channels
        self.transform = transforms.Compose(
            [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize(half, half)]
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.images[index])


def training_steps(
    model: nn.Module, images: Tensor, batch_size: int, device: torch.device, num_timesteps: int = 1000
) -> Iterator[float]:
    """Train forever; yields the loss after each step."""
    loader = DataLoader(ImageDataset(images), batch_size, shuffle=True, num_workers=2, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=False)
    alpha_bar = (1 - torch.linspace(1e-4, 0.02, num_timesteps)).cumprod(0).to(device)
    model.train()
    while True:
        for x_0 in loader:
            x_0 = x_0.to(device)
            t = torch.randint(0, num_timesteps, (len(x_0),), device=device)
            noise = torch.randn_like(x_0)
            a = alpha_bar[t].view(-1, 1, 1, 1)
            loss = F.mse_loss(model(a.sqrt() * x_0 + (1 - a).sqrt() * noise, t), noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss.item()


@torch.no_grad()
def sample(model: nn.Module, shape: tuple[int, int, int, int], device: torch.device, num_timesteps: int) -> Tensor:
    betas = torch.linspace(1e-4, 0.02, num_timesteps, device=device)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    model.eval()
    x = torch.randn(shape, device=device)
    for i in reversed(range(num_timesteps)):
        t = torch.full((shape[0],), i, device=device, dtype=torch.long)
        eps = model(x, t)
        x = (x - betas[i] / (1 - alpha_bar[i]).sqrt() * eps) / alphas[i].sqrt()
        if i > 0:
            variance = betas[i] * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])
            x = x + variance.sqrt() * torch.randn_like(x)
    return x.clamp(-1, 1)
