"""The contrast between views, the contrast across instances, and the alarm for a collapse."""

import torch

from dense_descriptor_ros.training.losses.distributional import distributional
from dense_descriptor_ros.training.losses.pixel_margin import pixel_margin
from dense_descriptor_ros.training.losses.pixel_nce import pixel_nce
from dense_descriptor_ros.training.losses.surface_nce import surface_nce
from dense_descriptor_ros.training.objectives.dense_contrastive.config import DenseContrastiveConfig
from dense_descriptor_ros.training.objectives.dense_contrastive.levels import Level
from dense_descriptor_ros.training.objectives.dense_contrastive.matches import Matches, matches_of
from dense_descriptor_ros.training.objectives.objective import Batch


def multi_view_loss(level: Level, batch: Batch, config: DenseContrastiveConfig) -> torch.Tensor:
    """Each matched point of view 0 should find itself in view 1, and the other way round.

    Args:
        level: of 2B images, the pairs' views in turn.
        batch: as the items describe themselves, with a leading dimension B.
    """
    terms: list[torch.Tensor] = []
    for pair in range(len(batch['matched'])):
        matches = matches_of(level, batch, pair)
        if config.contrast == 'distributional':
            terms += distributional_terms(level, matches, config)
            continue
        negative = non_matches(matches, config, level.coarseness)
        background = level.background(batch['instance_map'].flatten(0, 1), matches.images, config.background)
        for query, positive in (matches.points, matches.points[::-1]):
            if config.contrast == 'margin':
                terms.append(pixel_margin(query, positive, negative, background, config.margin))
            else:
                terms.append(pixel_nce(query, positive, negative, background, config.temperature))
    return torch.stack(terms).mean()


def distributional_terms(
    level: Level, matches: Matches, config: DenseContrastiveConfig
) -> list[torch.Tensor]:
    """The distributional form both ways, over all cells of the other view."""
    return [
        distributional(
            matches.points[view],
            level.descriptors[matches.images[1 - view]],
            level.cells(matches.uv[1 - view]),
            config.temperature,
            config.spread_cells,
        )
        for view in (0, 1)
    ]


def non_matches(matches: Matches, config: DenseContrastiveConfig, coarseness: int) -> torch.Tensor:
    """(N, N) bool: which pairs of matches show points that are to differ.

    Points of one object are if they lie far enough apart, on its surface or, for augmentations of one image,
    in it. Points of other objects are only with `between_objects`.
    """
    if config.pairs_from == 'views':
        far = torch.cdist(matches.p_object, matches.p_object) > config.non_match_m * coarseness
    else:
        far = torch.cdist(matches.uv[0], matches.uv[0]) > config.non_match_px * coarseness
    same = matches.owner[:, None] == matches.owner[None]
    return far & same | ~same if config.between_objects else far & same


def across_instances_loss(level: Level, batch: Batch, config: DenseContrastiveConfig) -> torch.Tensor:
    """Points of different instances that show their handle should agree where the surfaces correspond."""
    descriptors = all_points(level, batch)
    owner = batch['owner'].flatten()
    usable = torch.nonzero(owner > 0)[:, 0]
    pick = usable[torch.randperm(len(usable), device=usable.device)[: config.surface_points]]
    owner = owner[pick]
    images = range(len(level.descriptors))
    background = level.background(batch['instance_map'].flatten(0, 1), images, config.background)
    return surface_nce(
        descriptors[pick],
        batch['coordinates'].flatten(0, 2)[pick],
        owner[:, None] != owner[None],
        background,
        config.temperature,
        config.surface_bandwidth,
    )


def all_points(level: Level, batch: Batch) -> torch.Tensor:
    """Unit descriptors (2BN, D) at the points of all images, the padding among them."""
    return torch.cat([level.at_pixels(image, uv) for image, uv in enumerate(batch['uv'].flatten(0, 1))])


def spread(level: Level, batch: Batch) -> torch.Tensor:
    """Smallest standard deviation that a dimension of the descriptors has over the points of a batch.

    0 if all are the same; unit descriptors in D dimensions that point everywhere have 1 / sqrt(D). A batch
    with fewer than two points is measured in all its cells. No gradient flows.
    """
    found = all_points(level, batch)[batch['owner'].flatten() != 0]
    if len(found) < 2:
        found = level.descriptors.permute(0, 2, 3, 1).flatten(0, 2)
    return found.detach().std(0).min()
