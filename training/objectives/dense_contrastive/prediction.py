"""Heads without non-matches: predict the descriptor that the other view has.

Source: Chen and He 2021, SimSiam (https://arxiv.org/abs/2011.10566), here for each
matched point, or each object.
"""

from collections.abc import Sequence

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules.heads import SimSiamPredictionHead
from torch import nn
from torchvision.ops import roi_align

from dense_descriptor_ros.model import STRIDES, ModelConfig
from dense_descriptor_ros.training.objectives.dense_contrastive.levels import Level
from dense_descriptor_ros.training.objectives.dense_contrastive.matches import matches_of
from dense_descriptor_ros.training.objectives.objective import Batch

FEWEST_POINTS = 4
"""Points that an object needs in both views for its boxes to be known."""
BOX_CELLS = 7
"""Cells along each side of what is read from a box."""


class Prediction(nn.Module):
    """A predictor for each level of the pyramid that is used."""

    def __init__(self, config: ModelConfig, levels: int, of_boxes: bool) -> None:
        super().__init__()
        D, width = config.descriptor_dim, config.head_channels
        self.of_boxes = of_boxes
        self.predictors = nn.ModuleDict(
            {stride: SimSiamPredictionHead(D, width, D) for stride in STRIDES[:levels]}
        )
        self.similarity = NegativeCosineSimilarity()

    def forward(self, level: Level, batch: Batch) -> torch.Tensor:
        """-1 if each descriptor is predicted from its match in the other view, which gets no gradient."""
        pairs = range(len(batch['matched']))
        found = [(box_descriptors if self.of_boxes else point_descriptors)(level, batch, p) for p in pairs]
        first, second = (torch.cat(views) for views in zip(*found, strict=True))
        if len(first) < 2:  # too few for the predictor's batch normalisation
            return level.descriptors.sum() * 0
        predict = self.predictors[f'stride{level.stride}']
        there = self.similarity(predict(first), second.detach())
        back = self.similarity(predict(second), first.detach())
        return (there + back) / 2


def point_descriptors(level: Level, batch: Batch, pair: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Descriptors (N, D) of matched points in both views."""
    return matches_of(level, batch, pair).points


def box_descriptors(level: Level, batch: Batch, pair: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean descriptors (M, D) of the boxes of the M objects that both views of a pair show."""
    owner, uv = batch['owner'][pair].abs(), batch['uv'][pair]
    objects = [
        number
        for number in owner.unique().tolist()
        if number and bool(((owner == number).sum(1) >= FEWEST_POINTS).all())
    ]
    first, second = (
        pooled(level, 2 * pair + view, [box_about(uv[view, owner[view] == number]) for number in objects])
        for view in (0, 1)
    )
    return first, second


def box_about(uv: torch.Tensor) -> torch.Tensor:
    """Left, top, right and bottom edge (4,) of the pixels (N, 2), in pixels from the image's corner."""
    return torch.cat([uv.amin(0), uv.amax(0) + 1])


def pooled(level: Level, image: int, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean descriptors (M, D) in M boxes of one image."""
    if not boxes:
        return level.descriptors.new_zeros(0, level.descriptors.shape[1])
    regions = [torch.stack(list(boxes)).to(level.descriptors.dtype)]
    cells = roi_align(
        level.descriptors[image : image + 1], regions, BOX_CELLS, spatial_scale=1 / level.stride, aligned=True
    )
    return cells.mean((2, 3))
