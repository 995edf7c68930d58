"""Where a cell is, added to what it shows."""

import torch
from torch import nn

from dense_descriptor_ros.errors import InputError


class PositionEmbedding(nn.Module):
    """A linear map of a cell's distances to the four borders, added to a feature map of any size.

    Source: Locatello et al. 2020, appendix E.2 (https://arxiv.org/abs/2006.15055), at the cells' centres.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(4, width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, C, h, w) with the position added.

        Raises:
            InputError: the map has another shape or width.
        """
        if features.dim() != 4 or features.shape[1] != self.width:
            raise InputError(f'features have shape {tuple(features.shape)}: expected (B, {self.width}, h, w)')
        height, width = features.shape[-2:]
        distances = border_distances(height, width, features.device)
        return features + self.project(distances).permute(2, 0, 1)


def border_distances(height: int, width: int, device: torch.device) -> torch.Tensor:
    """(h, w, 4) from a cell's centre to the upper, left, lower and right border, as shares of the sides."""
    down = (torch.arange(height, device=device) + 0.5) / height
    right = (torch.arange(width, device=device) + 0.5) / width
    from_start = torch.stack(torch.meshgrid(down, right, indexing='ij'), -1)
    return torch.cat([from_start, 1 - from_start], -1)
