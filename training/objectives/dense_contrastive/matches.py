"""The matched points of a pair of images, with their descriptors at one level."""

from dataclasses import dataclass

import torch

from dense_descriptor_ros.training.objectives.dense_contrastive.levels import Level
from dense_descriptor_ros.training.objectives.objective import Batch


@dataclass(frozen=True)
class Matches:
    """N points that both views of a pair show; the pair's views are `images` of the batch."""

    images: tuple[int, int]
    uv: tuple[torch.Tensor, torch.Tensor]
    """(N, 2) pixels in each view."""
    points: tuple[torch.Tensor, torch.Tensor]
    """(N, D) unit descriptors there."""
    owner: torch.Tensor
    """(N,) number of the object that a point lies on."""
    p_object: torch.Tensor
    """(N, 3) metres in the object's frame; zeros where nobody knows it."""


def matches_of(level: Level, batch: Batch, pair: int) -> Matches:
    """Matches of one pair: at a coarse level fewer, as it has fewer cells."""
    matched = torch.nonzero(batch['matched'][pair])[:, 0]
    matched = matched[: level.share(batch['matched'].shape[1])]
    images = (2 * pair, 2 * pair + 1)
    uv = (batch['uv'][pair, 0, matched], batch['match_uv'][pair, matched])
    return Matches(
        images,
        uv,
        (level.at_pixels(images[0], uv[0]), level.at_pixels(images[1], uv[1])),
        batch['owner'][pair, 0, matched].abs(),
        batch['p_object'][pair, matched],
    )
