"""The objective `dense_contrastive`: contrast over views and instances, and votes for frames."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import STRIDE, ModelOutput
from dense_descriptor_ros.training.losses.distributional import distributional
from dense_descriptor_ros.training.losses.pixel_margin import pixel_margin
from dense_descriptor_ros.training.losses.pixel_nce import pixel_nce
from dense_descriptor_ros.training.losses.surface_nce import surface_nce
from dense_descriptor_ros.training.losses.votes import vote_losses

Batch = dict[str, torch.Tensor]
CONTRASTS = ('nce', 'margin', 'distributional')


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights and constants of the losses."""

    name: str = 'dense_contrastive'
    multi_view: float = 1.0
    """Weight of the contrast between two views of one object."""
    across_instances: float = 0.5
    """Weight of the contrast between objects of the category."""
    object: float = 8.0
    part: float = 1.0
    keypoint: float = 0.5
    axis: float = 3.0
    contrast: str = 'nce'
    """Form of the contrast between views: nce, margin or distributional."""
    margin: float = 0.5
    """Of the margin form, between unit descriptors."""
    spread_cells: float = 1.5
    """Of the distributional form's target."""
    temperature: float = 0.1
    surface_bandwidth: float = 0.12
    non_match_m: float = 0.01
    """Points of one object farther apart than this are non-matches."""
    background: int = 256
    """Cells off the category that serve as non-matches, an image pair."""
    surface_points: int = 768
    """Points a batch that are contrasted across instances."""

    def __post_init__(self) -> None:
        if self.name != 'dense_contrastive':
            raise ConfigError(f'objective {self.name!r} is unknown: expected dense_contrastive')
        if self.contrast not in CONTRASTS:
            raise ConfigError(f'objective.contrast is {self.contrast!r}: expected one of {CONTRASTS}')
        for name in ('margin', 'spread_cells', 'temperature', 'surface_bandwidth', 'non_match_m'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected more than 0')


def objective_losses(output: ModelOutput, batch: Batch, config: ObjectiveConfig) -> dict[str, torch.Tensor]:
    """Unweighted losses of a batch of B pairs, plus their weighted sum `total`.

    Args:
        output: for 2B images, the pairs' views in turn.
        batch: as `ViewPairs` describes an item, with a leading dimension B.
    """
    flat = {
        key: batch[key].flatten(0, 1)
        for key in ('depth_m', 'true_depth_m', 'K', 'instance_map', 'origins_m', 'axes', 'visible', 'on_part')
    }
    losses = vote_losses(output, **flat)
    losses['multi_view'] = multi_view_loss(output, batch, config)
    losses['across_instances'] = across_instances_loss(output, batch, config)
    losses['total'] = torch.stack([getattr(config, name) * value for name, value in losses.items()]).sum()
    return losses


def multi_view_loss(output: ModelOutput, batch: Batch, config: ObjectiveConfig) -> torch.Tensor:
    """Each matched point of view 0 should find itself in view 1, and the other way round."""
    size = batch['depth_m'].shape[-2:]
    terms = []
    for pair, matched in enumerate(batch['matched']):
        views = [2 * pair, 2 * pair + 1]
        uv = [batch['uv'][pair, 0, matched], batch['match_uv'][pair, matched]]
        points = [sample_descriptors(output.descriptors[v], p, size) for v, p in zip(views, uv, strict=True)]
        if config.contrast == 'distributional':
            for query, view, found in ((points[0], views[1], uv[1]), (points[1], views[0], uv[0])):
                cell = (found + 0.5) / STRIDE - 0.5
                image = output.descriptors[view]
                terms.append(distributional(query, image, cell, config.temperature, config.spread_cells))
            continue
        owner, p_object = batch['owner'][pair, 0, matched].abs(), batch['p_object'][pair, matched]
        # Other instances are neither matches nor non-matches: they should agree where they correspond.
        negative = (owner[:, None] == owner[None]) & (torch.cdist(p_object, p_object) > config.non_match_m)
        background = background_descriptors(output, batch, views, config.background)
        for query, positive in (points, points[::-1]):
            if config.contrast == 'margin':
                terms.append(pixel_margin(query, positive, negative, background, config.margin))
            else:
                terms.append(pixel_nce(query, positive, negative, background, config.temperature))
    return torch.stack(terms).mean()


def across_instances_loss(output: ModelOutput, batch: Batch, config: ObjectiveConfig) -> torch.Tensor:
    """Points of different instances that show their handle should agree where the surfaces correspond."""
    size = batch['depth_m'].shape[-2:]
    owner, uv = batch['owner'].flatten(0, 1), batch['uv'].flatten(0, 1)
    descriptors = torch.cat(
        [sample_descriptors(d, p, size) for d, p in zip(output.descriptors, uv, strict=True)]
    )
    usable = torch.nonzero(owner.flatten() > 0)[:, 0]
    pick = usable[torch.randperm(len(usable), device=usable.device)[: config.surface_points]]
    coordinates = batch['coordinates'].flatten(0, 2)[pick]
    owner = owner.flatten()[pick]
    background = background_descriptors(output, batch, range(len(uv)), config.background)
    return surface_nce(
        descriptors[pick],
        coordinates,
        owner[:, None] != owner[None],
        background,
        config.temperature,
        config.surface_bandwidth,
    )


def sample_descriptors(descriptors: torch.Tensor, uv: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Unit descriptors (N, D) at pixels `uv` (N, 2) of an H x W image from its map (D, h, w), bilinear."""
    extent = uv.new_tensor([size[1], size[0]])
    grid = (2 * (uv + 0.5) / extent - 1)[None, None]
    sampled = F.grid_sample(descriptors[None], grid, padding_mode='border', align_corners=False)
    return F.normalize(sampled[0, :, 0].T, dim=1, eps=1e-6)


def background_descriptors(
    output: ModelOutput, batch: Batch, images: range | list[int], count: int
) -> torch.Tensor:
    """Descriptors (M, D), M <= count, of random cells that show no instance in some images of the batch."""
    empty = batch['instance_map'].flatten(0, 1)[list(images)] == 0
    b, i, j = torch.nonzero(empty, as_tuple=True)
    pick = torch.randint(len(b), (count,), device=b.device) if len(b) else b
    return output.descriptors[list(images)][b[pick], :, i[pick], j[pick]]
