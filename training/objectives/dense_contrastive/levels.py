"""Descriptors at the levels of the feature pyramid, and what is read from them at pixels of the image."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dense_descriptor_ros.model import STRIDE, STRIDES, DescriptorNet, ModelConfig, head

FEWEST = 16
"""Points and background cells that a coarse level has at least, as far as there are so many."""


@dataclass(frozen=True)
class Level:
    """Descriptors of some images at one level."""

    descriptors: torch.Tensor
    """(B, D, h, w) float32, L2-normalised"""
    stride: int
    """Pixels of the image per cell."""

    @property
    def coarseness(self) -> int:
        """Cells of the finest level along one of this level: by it pixel and surface distances grow."""
        return self.stride // STRIDE

    def share(self, count: int) -> int:
        """Of `count` samples at the finest level, as many as there are fewer cells at this one."""
        return min(count, max(FEWEST, count // self.coarseness**2))

    def at_pixels(self, image: int, uv: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (N, D) at pixels `uv` (N, 2) of one of the images."""
        _, _, h, w = self.descriptors.shape
        size = torch.Size((h * self.stride, w * self.stride))
        return sample_descriptors(self.descriptors[image], uv, size)

    def cells(self, uv: torch.Tensor) -> torch.Tensor:
        """Column and row of pixels `uv` (N, 2), in cells of this level."""
        return (uv + 0.5) / self.stride - 0.5

    def background(self, instance_map: torch.Tensor, images: Sequence[int], count: int) -> torch.Tensor:
        """Descriptors (M, D), M at most the level's share of `count`, of random cells that show no instance.

        Args:
            instance_map: (B, h, w) of the finest level, 0 where no instance is.
            images: which of the B to draw from.
            count: at the finest level.
        """
        step = self.coarseness
        empty = instance_map[list(images), step // 2 :: step, step // 2 :: step] == 0
        b, i, j = torch.nonzero(empty, as_tuple=True)
        pick = torch.randint(len(b), (self.share(count),), device=b.device) if len(b) else b
        return self.descriptors[list(images)][b[pick], :, i[pick], j[pick]]


def sample_descriptors(descriptors: torch.Tensor, uv: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Unit descriptors (N, D) at pixels `uv` (N, 2) of an H x W image from its map (D, h, w), bilinear."""
    extent = uv.new_tensor([size[1], size[0]])
    grid = (2 * (uv + 0.5) / extent - 1)[None, None]
    sampled = F.grid_sample(descriptors[None], grid, padding_mode='border', align_corners=False)
    return F.normalize(sampled[0, :, 0].T, dim=1, eps=1e-6)


class CoarseHeads(nn.Module):
    """Descriptor heads for the levels of the pyramid that the network itself does not read."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = (config.pyramid_channels, config.head_channels, config.descriptor_dim)
        self.heads = nn.ModuleDict({stride: head(*widths) for stride in STRIDES[1:]})

    def forward(self, pyramid: dict[str, torch.Tensor]) -> list[Level]:
        """Levels from the next to finest to the coarsest."""
        levels = []
        for name, read in self.heads.items():
            descriptors = F.normalize(read(pyramid[name]).float(), dim=1, eps=1e-6)
            levels.append(Level(descriptors, int(name.removeprefix('stride'))))
        return levels


@contextmanager
def pyramid_of(network: DescriptorNet) -> Iterator[dict[str, torch.Tensor]]:
    """While inside, a run of the network leaves its feature pyramid in the yielded dictionary."""
    seen: dict[str, torch.Tensor] = {}
    hook = network.pyramid.register_forward_hook(lambda module, inputs, output: seen.update(output))
    try:
        yield seen
    finally:
        hook.remove()
