"""What slots are before they have seen the image."""

import torch
import torch.nn.functional as F
from torch import nn

from dense_descriptor_ros.errors import InputError

TINY = 1e-12
"""Keeps a draw possible where all points are equal."""


class LearnedQueries(nn.Module):
    """The same slots for every image, learned."""

    def __init__(self, slots: int, slot_width: int) -> None:
        super().__init__()
        self.slots = nn.Parameter(torch.randn(slots, slot_width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) for tokens (B, N, C)."""
        return self.slots.expand(len(tokens), -1, -1)


class SampledQueries(nn.Module):
    """Slots drawn from one Gaussian whose mean and scale are learned; torch's seed tells them.

    Reparameterised: Kingma and Welling 2013 (https://arxiv.org/abs/1312.6114). One Gaussian for all slots:
    Locatello et al. 2020 (https://arxiv.org/abs/2006.15055).
    """

    def __init__(self, slots: int, slot_width: int) -> None:
        super().__init__()
        self.count = slots
        self.mean = nn.Parameter(torch.randn(slot_width))
        self.log_scale = nn.Parameter(torch.zeros(slot_width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) for tokens (B, N, C)."""
        noise = torch.randn(len(tokens), self.count, len(self.mean), device=tokens.device)
        return self.mean + self.log_scale.exp() * noise


class KMeansQueries(nn.Module):
    """The centres of k-means over an image's tokens, projected; no gradient reaches the tokens."""

    def __init__(self, slots: int, slot_width: int, token_width: int) -> None:
        super().__init__()
        self.count = slots
        self.project = nn.Linear(token_width, slot_width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) for tokens (B, N, C)."""
        return self.project(kmeans(tokens, self.count))


@torch.no_grad()
def kmeans(points: torch.Tensor, count: int, iterations: int = 10) -> torch.Tensor:
    """Centres (B, S, C) of points (B, N, C), float32, without gradient; torch's seed tells where they begin.

    Source: Lloyd 1982 (https://doi.org/10.1109/TIT.1982.1056489). A centre that no point is nearest to stays.

    Raises:
        InputError: fewer points than centres.
    """
    if points.shape[1] < count:
        raise InputError(f'{points.shape[1]} tokens, expected at least {count}: one for each slot')
    with torch.autocast(points.device.type, enabled=False):
        points = points.float().nan_to_num(0, 0, 0)
        centres = spread_centres(points, count)
        for _ in range(iterations):
            nearest = torch.cdist(points, centres).argmin(2)
            members = F.one_hot(nearest, count).to(points.dtype).mT
            size = members.sum(2, keepdim=True)
            centres = torch.where(size > 0, members @ points / size.clamp(min=1), centres)
    return centres


def spread_centres(points: torch.Tensor, count: int) -> torch.Tensor:
    """`count` of the points (B, N, C), each drawn by its squared distance to those before: (B, S, C).

    Source: k-means++, Arthur and Vassilvitskii 2007 (https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf).
    """
    each = torch.arange(len(points), device=points.device)
    centres = points[each, torch.randint(points.shape[1], (len(points),), device=points.device)][:, None]
    while centres.shape[1] < count:
        distance2 = torch.cdist(points, centres).square().amin(2)
        drawn = torch.multinomial(distance2 + TINY, 1)[:, 0]
        centres = torch.cat([centres, points[each, drawn][:, None]], 1)
    return centres
