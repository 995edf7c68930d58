"""An image as a set of vectors, one for each cell of a grid."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from torch import nn

from dense_descriptor_ros.model import STRIDES


@dataclass(frozen=True)
class Tokens:
    """What an image's cells show, row by row."""

    cells: torch.Tensor
    """(B, h * w, C)"""
    size: tuple[int, int]
    """h and w"""
    cls: torch.Tensor | None = None
    """(B, C) of the whole image, where the network has such a token"""


class StageTokens(nn.Module):
    """Tokens of a network of four stages: all projected, summed on the grid of one, with the cell's place.

    Stages beyond the grid's own take part, else they would never be trained.
    """

    def __init__(self, widths: list[int], width: int, grid: str) -> None:
        """Build the projections.

        Args:
            widths: channels of the four stages.
            width: C of the tokens, a multiple of 4.
            grid: stage whose grid the tokens have, such as `stride8`.
        """
        super().__init__()
        self.grid = grid
        self.lateral = nn.ModuleDict(
            {stride: nn.Conv2d(channels, width, 1) for stride, channels in zip(STRIDES, widths, strict=True)}
        )

    def forward(self, stages: dict[str, torch.Tensor]) -> Tokens:
        """Tokens of feature maps `stride4` to `stride32`."""
        h, w = stages[self.grid].shape[-2:]
        summed = torch.stack([resized(self.lateral[s](stages[s]), h, w) for s in STRIDES]).sum(0)
        place = build_sincos2d_pos_embed([h, w], dim=summed.shape[1], device=summed.device)
        return Tokens(summed.flatten(2).mT + place.to(summed.dtype), (h, w))


def resized(features: torch.Tensor, h: int, w: int) -> torch.Tensor:
    """Features (B, C, ...) on a grid of h x w: means of finer cells, between coarser ones linearly."""
    if features.shape[-2] >= h:
        return F.adaptive_avg_pool2d(features, (h, w))
    return F.interpolate(features, size=(h, w), mode='bilinear', align_corners=False)
