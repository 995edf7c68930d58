"""The objective itself: its network, its items, its losses and what is kept of it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dense_descriptor_ros.engine import Engine, fit_to_network
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import STRIDE, STRIDES, DescriptorNet, ModelConfig, ModelOutput
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.calibrate import calibrated
from dense_descriptor_ros.training.encoder import Encoder, input_channels
from dense_descriptor_ros.training.items.augmented_pairs import AugmentedPairs
from dense_descriptor_ros.training.items.augmented_views import AugmentedViews
from dense_descriptor_ros.training.items.scene_pairs import ScenePairs
from dense_descriptor_ros.training.items.view_pairs import PairConfig, ViewPairs
from dense_descriptor_ros.training.losses.votes import vote_losses
from dense_descriptor_ros.training.objectives.dense_contrastive.config import (
    WITHOUT_LABELS,
    DenseContrastiveConfig,
)
from dense_descriptor_ros.training.objectives.dense_contrastive.contrast import (
    across_instances_loss,
    multi_view_loss,
    spread,
)
from dense_descriptor_ros.training.objectives.dense_contrastive.levels import CoarseHeads, Level, pyramid_of
from dense_descriptor_ros.training.objectives.objective import Batch, Objective, Sample, Validation
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage
from dense_descriptor_ros.training.validation import spread_views, validate
from dense_descriptor_ros.visualize import descriptors_to_rgb, side_by_side

if TYPE_CHECKING:
    from dense_descriptor_ros.training.objectives.dense_contrastive.prediction import Prediction

LOG = logging.getLogger(__name__)
TRUTH_OF_FRAMES = ('depth_m', 'true_depth_m', 'K', 'instance_map', 'origins_m', 'axes', 'visible', 'on_part')


class DenseContrastive(Objective):
    """Contrast over views and instances, and votes for frames, on the network that is deployed."""

    def __init__(
        self,
        config: DenseContrastiveConfig,
        model: ModelConfig,
        category: Category,
        pairs: PairConfig,
        augmentation: AugmentationConfig,
    ) -> None:
        super().__init__()
        self.config, self.model, self.category = config, model, category
        self.pairs, self.augmentation = pairs, augmentation
        self.network = DescriptorNet(model, len(category.parts))
        self.coarse_heads = CoarseHeads(model) if config.levels == 'all' else None
        self.prediction = build_prediction(config, model)

    @property
    def encoder(self) -> Encoder:  # type: ignore[override]
        """The network's backbone: the same weights, held once."""
        return SharedEncoder(self.model, self.network)

    def items(self, source: ImageSource, seed: int) -> Dataset[Sample]:
        """Pairs of views of one scene, or of augmentations of one image."""
        config, settings = self.config, (self.pairs, self.augmentation, seed)
        if config.pairs_from == 'augmentations' and not config.needs_labels:
            return AugmentedPairs(source, config.sampling, *settings)
        if not isinstance(source, BopImages):
            raise ConfigError(
                f'a {type(source).__name__} tells no poses to match views, or learn frames and instances, '
                'by: name a data set in BOP format, or give objective.pairs_from=augmentations; '
                f'{WITHOUT_LABELS}'
            )
        if config.sampling != 'mask':
            return ScenePairs(source, config.sampling, *settings)
        kind = ViewPairs if config.pairs_from == 'views' else AugmentedViews
        return kind(source.dataset, source.category, *settings)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Unweighted losses of a batch of B pairs, their weighted sum `total`, and the figure `spread`.

        Args:
            batch: as the items describe themselves, with a leading dimension B.
        """
        device = batch['rgb'].device.type
        rgb, depth_m, K = (batch[key].flatten(0, 1) for key in ('rgb', 'depth_m', 'K'))
        with torch.autocast(device, enabled=False):
            channels = input_channels(rgb, depth_m, K)
        with pyramid_of(self.network) as pyramid:
            output = self.network(channels)
        levels = [Level(output.descriptors, STRIDE)]
        if self.coarse_heads is not None:
            levels += self.coarse_heads(pyramid)
        with torch.autocast(device, enabled=False):
            output = ModelOutput(**self.gather(vars(output)))
            levels = [Level(self.gather({'': level.descriptors})[''], level.stride) for level in levels]
            batch = self.gather({key: value for key, value in batch.items() if key != 'rgb'})
            losses = self.frame_losses(output, batch)
            losses['multi_view'] = torch.stack([self.compare(level, batch) for level in levels]).mean()
            if self.config.across_instances:
                losses['across_instances'] = across_instances_loss(levels[0], batch, self.config)
            weighted = [getattr(self.config, name) * value for name, value in losses.items()]
            return losses | {'total': torch.stack(weighted).sum(), 'spread': spread(levels[0], batch)}

    def frame_losses(self, output: ModelOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Of the votes for frames, if they have a weight."""
        if not self.config.learns_frames:
            return {}
        return vote_losses(output, **{key: batch[key].flatten(0, 1) for key in TRUTH_OF_FRAMES})

    def compare(self, level: Level, batch: Batch) -> torch.Tensor:
        """Loss of the matches between the views of each pair, at one level."""
        if self.prediction is not None:
            return self.prediction(level, batch)
        return multi_view_loss(level, batch, self.config)

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, D, h, w) of the descriptor head."""
        return self.network(channels).descriptors

    @torch.no_grad()
    def validation(self, source: ImageSource, count: int) -> Validation:
        """Average precision of the frames in at most `count` whole images; without frames, losses."""
        if not isinstance(source, BopImages) or not self.config.learns_frames:
            return super().validation(source, count)
        engine = Engine(self.checkpoint({}, {}), self.device)
        return validate(engine, source.dataset, spread_views(source.views, count))

    def pictures(self, images: list[LabelledImage]) -> dict[str, np.ndarray]:
        """Each image beside its descriptors in colour."""
        return {str(number): self.picture(image) for number, image in enumerate(images)}

    def picture(self, image: LabelledImage) -> np.ndarray:
        """(H, W, 3) uint8: an image beside its descriptors in colour."""
        arrays = fit_to_network(image.rgb, image.depth_m, image.K)
        rgb, depth_m, K = (torch.from_numpy(array)[None].to(self.device) for array in arrays)
        descriptors = self.descriptors(input_channels(rgb.permute(0, 3, 1, 2), depth_m, K.float()))
        return side_by_side([image.rgb, descriptors_to_rgb(descriptors[0].float().cpu().numpy())])

    def save(self, path: Path, provenance: dict[str, Any], metrics: dict[str, float]) -> None:
        """Write a checkpoint that the engine runs."""
        save_checkpoint(path, self.checkpoint(provenance, metrics))

    def finish(self, folder: Path, source: ImageSource) -> None:
        """Fit the confidence of the checkpoints that are kept, on held-out images."""
        if not isinstance(source, BopImages) or not self.config.learns_frames:
            return
        views = spread_views(source.views, self.config.calibration_images)
        for name in ('best.safetensors', 'last.safetensors'):
            path = folder / name
            try:
                save_checkpoint(path, calibrated(load_checkpoint(path), source.dataset, views, self.device))
            except DatasetError as error:
                LOG.warning('%s keeps scores that are no probabilities. %s', path, error)

    @property
    def device(self) -> str:
        """Where the weights are, by torch's name."""
        return str(next(self.network.parameters()).device)

    def checkpoint(self, provenance: dict[str, Any], metrics: dict[str, float]) -> Checkpoint:
        """The network as it is now, with where it comes from and what it reached."""
        kept = {'validation': metrics} if metrics else {}
        return Checkpoint(self.network, self.model, self.category, provenance, kept)


def build_prediction(config: DenseContrastiveConfig, model: ModelConfig) -> 'Prediction | None':
    """The predictors of a head without non-matches, which alone need the library that has them."""
    if config.head == 'contrast':
        return None
    from dense_descriptor_ros.training.objectives.dense_contrastive.prediction import Prediction

    levels = len(STRIDES) if config.levels == 'all' else 1
    return Prediction(model, levels, of_boxes=config.head == 'box_predictor')


class SharedEncoder(Encoder):
    """The backbone of a descriptor network as an encoder, not a copy of it."""

    def __init__(self, config: ModelConfig, network: DescriptorNet) -> None:
        nn.Module.__init__(self)
        self.config, self.backbone = config, network.backbone
        self.widths = [block[0].in_channels for block in network.pyramid.inner_blocks]
