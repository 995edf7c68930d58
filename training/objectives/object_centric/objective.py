"""The network of `object_centric`, what it is trained with and what it shows."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.augmentation.square_crop import central_crop, frame_sample
from dense_descriptor_ros.training.distributed import world_size
from dense_descriptor_ros.training.encoder import Encoder, input_channels
from dense_descriptor_ros.training.items.multi_crop import MultiCrops, crop_channels
from dense_descriptor_ros.training.networks.tokens import StageTokens, Tokens
from dense_descriptor_ros.training.objectives.object_centric.config import ObjectCentricConfig
from dense_descriptor_ros.training.objectives.object_centric.losses import (
    decorrelation,
    global_loss,
    object_loss,
    spread,
)
from dense_descriptor_ros.training.objectives.object_centric.networks import (
    build_object_function,
    build_queries,
    build_transformer,
    projector,
)
from dense_descriptor_ros.training.objectives.objective import Batch, Objective, Sample, Validation
from dense_descriptor_ros.training.slots.masks import object_iou, slot_labels, slot_shares, stripes
from dense_descriptor_ros.training.slots.pictures import coloured_masks, picture
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage


@dataclass(frozen=True)
class Representation:
    """What the network makes of images."""

    whole: torch.Tensor
    """(B, C) float32, or (B, D) over slots"""
    slots: torch.Tensor | None = None
    """(B, S, D) float32"""
    masks: torch.Tensor | None = None
    """(B, S, h, w) float32, sum 1 over the slots"""


class ObjectCentric(Objective):
    """One vector for an image and a slot for each of its objects, the same whatever the crop.

    Source: Baldassarre and Azizpour 2022 (https://arxiv.org/abs/2203.05997). With backbone `vit` there is no
    `encoder`: what is saved is the whole network, and its tokens are the descriptors.
    """

    def __init__(self, config: ObjectCentricConfig, model: ModelConfig) -> None:
        super().__init__()
        self.config, self.model = config, model
        if config.backbone == 'vit':
            self.transformer = build_transformer(config)
        else:
            self.encoder = Encoder(model)
            self.to_tokens = StageTokens(self.encoder.widths, config.token_width, config.stage)
        if config.has_slots:
            self.queries, self.object_function = build_queries(config), build_object_function(config)
        if config.global_loss != 'none':
            over_slots = config.wiring == 'global_over_slots'
            width = config.slot_width if over_slots else config.token_width
            self.global_projector = projector(width, config.projection_width)
        if config.object_loss != 'none':
            self.object_projector = projector(config.slot_width, config.projection_width)

    def tokens(self, channels: torch.Tensor) -> Tokens:
        """Tokens of input channels (B, 9, H, W)."""
        if self.config.backbone == 'vit':
            return self.transformer(channels)
        return self.to_tokens(self.encoder(channels))

    def represent(self, channels: torch.Tensor) -> Representation:
        """Everything of input channels (B, 9, H, W), H and W multiples of 32."""
        tokens = self.tokens(channels)
        head = tokens.cls if self.config.global_head == 'cls' else None
        whole = (tokens.cells.mean(1) if head is None else head).float()
        if not self.config.has_slots:
            return Representation(whole)
        slots, attention = self.object_function(tokens.cells, self.queries(tokens.cells))
        if self.config.wiring == 'global_over_slots':
            whole = slots.mean(1)
        return Representation(whole, slots, slot_shares(attention).unflatten(2, tokens.size))

    @property
    def frame_px(self) -> int:
        """Side of the frames that slots are made of."""
        return self.config.large_px

    def slots(self, channels: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) of input channels (B, 9, H, W).

        Raises:
            ConfigError: the wiring has none.
        """
        slots = self.represent(channels).slots
        if slots is None:
            raise ConfigError('wiring global_only has no slots: train with another objective.wiring')
        return slots

    def masks(self, channels: torch.Tensor) -> torch.Tensor:
        """Soft masks (B, S, h, w) of the slots, sum 1 over these, of input channels (B, 9, H, W).

        Raises:
            ConfigError: the wiring has none.
        """
        masks = self.represent(channels).masks
        if masks is None:
            raise ConfigError('wiring global_only has no masks: train with another objective.wiring')
        return masks

    def items(self, source: ImageSource, seed: int) -> Dataset[Sample]:
        """Crops of single images, as `MultiCrops` describes them."""
        if len(source) == 0:
            raise DatasetError('the source has no images: expected at least one to cut crops from')
        return MultiCrops(source, self.config.crops, seed)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`total` and its terms `global`, `object`, `variance` and `covariance`, those that there are.

        `spread` tells a collapse of the images' vectors, `slot_spread` one of the slots of an image.
        """
        large = self.represent(crop_channels(batch, 'large'))
        small = self.represent(crop_channels(batch, 'small')).whole if 'small_rgb' in batch else None
        pairs = len(batch['large_rgb']) * world_size() if self.training else len(batch['large_rgb'])
        with torch.autocast(large.whole.device.type, enabled=False):
            large = Representation(**self.gather({k: v for k, v in vars(large).items() if v is not None}))
            small = None if small is None else self.gather({'': small})['']
            terms = self.terms(large, small, pairs)
            c = self.config
            weights = {'global': c.global_weight, 'object': c.object_weight}
            weights |= {'variance': c.variance, 'covariance': c.covariance}
            total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
            figures = {'spread': spread(large.whole.unflatten(0, (pairs, 2)).transpose(0, 1))}
            if large.slots is not None:
                figures['slot_spread'] = spread(large.slots)
        return {'total': total, **terms, **figures}

    def terms(self, large: Representation, small: torch.Tensor | None, pairs: int) -> dict[str, torch.Tensor]:
        """Unweighted losses of the large crops of `pairs` images, and of the vectors of their small ones."""
        c, terms, sets = self.config, {}, []
        if c.global_loss != 'none':
            z = self.global_projector(large.whole).unflatten(0, (pairs, 2))
            z_small = None if small is None else self.global_projector(small).unflatten(0, (pairs, -1))
            terms['global'] = global_loss(c.global_loss, z, z_small, c.temperature)
            sets += list(z.unbind(1))
        if c.object_loss != 'none' and large.slots is not None:
            z = self.object_projector(large.slots).unflatten(0, (pairs, 2))
            terms['object'] = object_loss(c.object_loss, z, c.temperature)
            sets += [view.flatten(0, 1) for view in z.unbind(1)]
        return terms | decorrelation(sets)

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, D, h, w) at stride 4: hypercolumns of the encoder, or tokens of `vit`."""
        if self.config.backbone == 'vit':
            return self.transformer.descriptors(channels)
        return super().descriptors(channels)

    @torch.no_grad()
    def validation(self, source: ImageSource, count: int) -> Validation:
        """Losses and pictures; where the source knows objects, also their mean IoU with slots and stripes.

        Stripes know nothing of the image, and yet reach more than 0.
        """
        result = super().validation(source, count)
        if not self.config.has_slots:
            return result
        found: dict[str, list[float]] = {'slots': [], 'stripes': []}
        size = self.config.large_px
        for index in range(min(count, len(source))):
            image = self.middle(source[index])
            if image.instances is not None:
                labels = slot_labels(self.masks(self.channels_of([image])), size, size)[0]
                found['slots'] += object_iou(labels, image.instances)
                found['stripes'] += object_iou(stripes(size, size, self.config.slots), image.instances)
        metrics = {f'iou/{name}': float(np.mean(values)) for name, values in found.items() if values}
        return Validation(result.metrics | metrics, result.pictures, result.score)

    @torch.no_grad()
    def pictures(self, images: list[LabelledImage]) -> dict[str, np.ndarray]:
        """`slots`: the images, and below them each half covered by its slots, one colour a slot."""
        if not self.config.has_slots or not images:
            return {}
        middles = [self.middle(image) for image in images]
        masks = self.masks(self.channels_of(middles)).cpu()
        rgb = torch.stack([frame_sample(image)['rgb'] for image in middles]) / 255
        return {'slots': picture([rgb, coloured_masks(rgb, masks)])}

    def middle(self, image: LabelledImage) -> LabelledImage:
        """The largest square of an image in its middle, as large as a large crop."""
        return central_crop(image, self.config.large_px)(image)

    def channels_of(self, images: list[LabelledImage]) -> torch.Tensor:
        """Input channels (B, 9, H, W) of images of one size, where the network is."""
        device = next(self.parameters()).device
        batch = default_collate([frame_sample(image) for image in images])
        return input_channels(*(batch[key].to(device) for key in ('rgb', 'depth_m', 'K')))
