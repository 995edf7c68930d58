"""UniVIP: similarity of scenes, of a scene and its instances, and of sets of instances.

Source: Li et al. 2022 (https://arxiv.org/abs/2203.06965), on BYOL, Grill et al. 2020
(https://arxiv.org/abs/2006.07733).
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import nn
from torch.utils.data import Dataset

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import SIZE_MULTIPLE, ModelConfig
from dense_descriptor_ros.training.augmentation.byol_views import cropped, first_view, second_view
from dense_descriptor_ros.training.encoder import Encoder, input_channels
from dense_descriptor_ros.training.items.boxes import (
    filter_boxes,
    instance_boxes,
    selective_search,
    smallest_side,
)
from dense_descriptor_ros.training.items.crop_pairs import draw_crop_pair
from dense_descriptor_ros.training.losses.instance_transport import EPS, instance_transport
from dense_descriptor_ros.training.objectives.objective import Batch, Objective, ObjectiveConfig, Sample
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

BOX_SOURCES = ('auto', 'instances', 'selective_search')


@dataclass(frozen=True)
class UnivipConfig(ObjectiveConfig):
    """Weights of the three terms, what is cropped, and the sizes of the heads."""

    name: str = 'univip'
    scene_scene: float = 1.0
    scene_instance: float = 1.0
    instance_instance: float = 1.0
    box_source: str = 'auto'
    """`instances` of the data set, `selective_search`, or `auto`: instances where the data set knows them."""
    min_box_px: float = 64.0
    """Shortest side of a box in an image whose shorter side is 480 px; in proportion for others."""
    instances: int = 4
    """K, instance crops of an image."""
    scene_px: int = 128
    """Side of a scene crop; 224 in the paper, at three times the cost."""
    instance_px: int = 96
    crop_scale_min: float = 0.2
    """Smallest area of a scene crop, as a share of the image's."""
    mirror: float = 0.5
    """Probability that a view is mirrored; 0 keeps left and right apart in what is learned."""
    hidden: int = 4096
    """Width of the hidden layer of projector and predictor."""
    projected: int = 256
    momentum: float = 0.99
    """Share of itself that the target keeps in a step at first; rises to 1 by a cosine."""

    def __post_init__(self) -> None:
        if self.box_source not in BOX_SOURCES:
            raise ConfigError(f'objective.box_source is {self.box_source!r}: expected one of {BOX_SOURCES}')
        for name in ('scene_scene', 'scene_instance', 'instance_instance'):
            if not getattr(self, name) >= 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected 0 or more')
        for name in ('scene_px', 'instance_px'):
            if getattr(self, name) < SIZE_MULTIPLE or getattr(self, name) % SIZE_MULTIPLE:
                raise ConfigError(
                    f'objective.{name} is {getattr(self, name)}: expected a multiple of {SIZE_MULTIPLE} px'
                )
        # One instance has nothing to be told apart from, and a batch of one could not be normalised.
        for name, least in (('instances', 2), ('hidden', 1), ('projected', 1), ('min_box_px', 1)):
            if not getattr(self, name) >= least:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected at least {least}')
        for name in ('mirror', 'momentum', 'crop_scale_min'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected 0 to 1')


class Univip(Objective):
    """A network and its slow copy, the target, whose outputs it predicts."""

    def __init__(self, config: UnivipConfig, model: ModelConfig) -> None:
        super().__init__()
        self.config, self.model = config, model
        self.encoder = Encoder(model)
        self.projector = BYOLProjectionHead(self.encoder.widths[-1], config.hidden, config.projected)
        self.predictor = BYOLPredictionHead(config.projected, config.hidden, config.projected)
        self.joined = nn.Linear(config.instances * config.projected, config.projected)
        self.target_encoder = copy.deepcopy(self.encoder)
        self.target_projector = copy.deepcopy(self.projector)
        deactivate_requires_grad(self.target_encoder)
        deactivate_requires_grad(self.target_projector)
        self.cosine = NegativeCosineSimilarity(eps=EPS)

    def items(self, source: ImageSource, seed: int) -> Dataset[Sample]:
        """Crop pairs and instance crops, one for each image."""
        return UnivipItems(source, self.config, seed)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The three terms, their weighted sum `total`, and `spread` of the scenes' features.

        Args:
            batch: `scenes` (B, 2, 3, S, S) and `instances` (B, 2, K, 3, s, s) uint8, each a T1 view and a T2
                view. The network sees the instances' T1 views and the target their T2 views: with the same
                pixels on both sides nothing would be left to learn.
        """
        B, config = len(batch['scenes']), self.config
        scenes = batch['scenes'].transpose(0, 1).flatten(0, 1)
        ours, theirs = (batch['instances'][:, view].flatten(0, 1) for view in range(2))
        features = global_features(self.encoder, scenes)
        online = self.predicted(features).unflatten(0, (2, B))
        target = self.target(scenes).unflatten(0, (2, B))
        sets = self.predicted(global_features(self.encoder, ours)).unflatten(0, (B, -1))
        target_sets = self.target(theirs).unflatten(0, (B, -1))
        with torch.autocast(scenes.device.type, enabled=False):
            joined = self.joined(sets.flatten(1))
            scene = self.distance(online[0], target[1]) + self.distance(online[1], target[0])
            part = self.distance(joined, target[0]) + self.distance(joined, target[1])
            transport = instance_transport(sets, target_sets, online.mean(0), target.mean(0))
        total = (
            config.scene_scene * scene + config.scene_instance * part + config.instance_instance * transport
        )
        return {
            'total': total,
            'scene_scene': scene,
            'scene_instance': part,
            'instance_instance': transport,
            'spread': spread(features.detach()),
        }

    def predicted(self, features: torch.Tensor) -> torch.Tensor:
        """What the network says (N, D) float32 of global features (N, C)."""
        return self.predictor(self.projector(features)).float()

    @torch.no_grad()
    def target(self, rgb: torch.Tensor) -> torch.Tensor:
        """Projections (N, D) float32 of images (N, 3, H, W) uint8 by the target network."""
        return self.target_projector(global_features(self.target_encoder, rgb)).float()

    def distance(self, online: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean of 2 - 2 cos, 0 to 4, of (B, D) and (B, D): BYOL, equation 2."""
        return 2 + 2 * self.cosine(online, target)

    def after_step(self, progress: float) -> None:
        """Move the target towards the network."""
        keep = target_momentum(progress, self.config.momentum)
        update_momentum(self.encoder, self.target_encoder, keep)
        update_momentum(self.projector, self.target_projector, keep)


def global_features(encoder: Encoder, rgb: torch.Tensor) -> torch.Tensor:
    """(N, C) float32 mean over the stride-32 map of images (N, 3, H, W) uint8; depth is left out."""
    return encoder(input_channels(rgb))['stride32'].float().mean((2, 3))


def spread(features: torch.Tensor) -> torch.Tensor:
    """Standard deviation over N of the unit vectors of features (N, C), mean over their dimensions.

    1 / sqrt(C) if they point in all directions, 0 if they have collapsed to one: the alarm of Chen and He
    2021, section 4.1 (https://arxiv.org/abs/2011.10566).
    """
    return F.normalize(features, dim=1, eps=EPS).std(0, correction=0).mean()


def target_momentum(progress: float, start: float) -> float:
    """From `start` at progress 0 to 1 at progress 1, by half a cosine: BYOL, section 3.3."""
    return 1 - (1 - start) * (math.cos(math.pi * min(progress, 1.0)) + 1) / 2


class UnivipItems(Dataset[Sample]):
    """Two scene crops with common boxes, and the boxes, each in BYOL's two views."""

    def __init__(self, source: ImageSource, config: UnivipConfig, seed: int) -> None:
        if len(source) == 0:
            raise DatasetError('the data set has no image: expected at least one to train with')
        self.source, self.config, self.seed = source, config, seed
        self.scene_views = [view(config.scene_px, config.mirror) for view in (first_view, second_view)]
        self.instance_views = [view(config.instance_px, config.mirror) for view in (first_view, second_view)]
        self.searched: dict[int, np.ndarray] = {}
        """Boxes by image: selective search takes longer than all else and always finds the same."""
        self.boxes(0, source[0])  # What cannot be had fails here, not in a worker.

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Sample:
        """`scenes` (2, 3, S, S) and `instances` (2, K, 3, s, s), uint8; the first of two is a T1 view."""
        index, config = position % len(self), self.config
        rng = np.random.default_rng([self.seed, position])
        image = self.source[index]
        height, width = image.rgb.shape[:2]
        min_side = smallest_side(height, width, config.min_box_px)
        boxes = filter_boxes(self.boxes(index, image), min_side)
        pair = draw_crop_pair(height, width, boxes, config.instances, min_side, config.crop_scale_min, rng)
        rgb = torch.tensor(image.rgb).permute(2, 0, 1)  # a copy: the source's may be read-only
        crops = [cropped(rgb, box, config.instance_px) for box in pair.boxes]
        scenes = [cropped(rgb, crop, config.scene_px) for crop in pair.crops]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            return {
                'scenes': torch.stack([view(s) for view, s in zip(self.scene_views, scenes, strict=True)]),
                'instances': torch.stack(
                    [torch.stack([view(crop) for crop in crops]) for view in self.instance_views]
                ),
            }

    def boxes(self, index: int, image: LabelledImage) -> np.ndarray:
        """(N, 4) of an image's objects, by instance map or by selective search.

        Raises:
            ConfigError: the image has no instance map but must have, or OpenCV no selective search.
        """
        if self.config.box_source != 'selective_search' and image.instances is not None:
            return instance_boxes(image.instances)
        if self.config.box_source == 'instances':
            raise ConfigError(
                f"objective.box_source is 'instances', but image {index} has no instance map: "
                "set it to 'selective_search' or 'auto'"
            )
        if index not in self.searched:
            self.searched[index] = selective_search(image.rgb)
        return self.searched[index]
