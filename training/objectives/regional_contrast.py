"""Semantic segmentation with contrast between pixels of different images."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from torchvision.models.segmentation.fcn import FCNHead

from dense_descriptor_ros.engine import fit_to_network
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import SIZE_MULTIPLE, STRIDE, ModelConfig
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.encoder import Encoder, input_channels
from dense_descriptor_ros.training.items.labelled_crops import LabelledCrops
from dense_descriptor_ros.training.losses.regional import reco, regional_nce
from dense_descriptor_ros.training.networks.memory_bank import MemoryBank
from dense_descriptor_ros.training.networks.semantic_fpn import SemanticFPN
from dense_descriptor_ros.training.objectives.objective import (
    Batch,
    Objective,
    ObjectiveConfig,
    Sample,
    Validation,
)
from dense_descriptor_ros.training.report.class_colours import paint_classes
from dense_descriptor_ros.training.sources.image import IGNORE, ImageSource, LabelledImage
from dense_descriptor_ros.visualize import side_by_side

CONTRASTS = ('nce', 'reco')


@dataclass(frozen=True)
class RegionalContrastConfig(ObjectiveConfig):
    """Weights and constants, as in Wang et al. 2021 (https://arxiv.org/abs/2101.11939) and ReCo."""

    name: str = 'regional_contrast'
    contrast: str = 'nce'
    """nce, between single pixels, or reco, between hard pixels and the means of their classes."""
    classes: int = 4
    """As many as the data has; the four are those of a BOP data set of mugs."""
    segmentation: float = 1.0
    """Weight of the cross-entropy."""
    auxiliary: float = 0.4
    """Weight of the cross-entropy of the head on stride 16."""
    regional: float = 0.3
    """Weight of the contrast."""
    nce_temperature: float = 0.07
    reco_temperature: float = 0.5
    samples: int = 4096
    """Most pixels of a batch that are contrasted, equally many of each class while there are enough."""
    bank: int = 3
    """Batches whose pixels are remembered to contrast with."""
    embedding: int = 64
    """Dimension of what is contrasted."""
    width: int = 64
    """Channels of the pyramid: 256 in the paper, which two CPU cores are too slow for."""
    size: int = 256
    """Height and width of the crops, pixels."""

    def __post_init__(self) -> None:
        if self.contrast not in CONTRASTS:
            raise ConfigError(f'objective.contrast is {self.contrast!r}: expected one of {CONTRASTS}')
        if not 2 <= self.classes <= IGNORE:
            raise ConfigError(f'objective.classes is {self.classes}: expected 2 to {IGNORE}')
        for name in ('nce_temperature', 'reco_temperature', 'samples', 'embedding', 'width'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected more than 0')
        for name in ('segmentation', 'auxiliary', 'regional', 'bank'):
            if getattr(self, name) < 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected at least 0')
        if self.size < SIZE_MULTIPLE or self.size % SIZE_MULTIPLE:
            raise ConfigError(f'objective.size is {self.size}: expected a multiple of {SIZE_MULTIPLE}')


class RegionalContrast(Objective):
    """Semantic FPN with a class head, a projection head for contrast, and an auxiliary head on stride 16."""

    def __init__(
        self,
        config: RegionalContrastConfig,
        model: ModelConfig,
        augmentation: AugmentationConfig,
    ) -> None:
        super().__init__()
        self.config, self.model, self.augmentation = config, model, augmentation
        self.encoder = Encoder(model)
        self.pyramid = SemanticFPN(self.encoder.widths, config.width)
        self.class_head = nn.Conv2d(config.width, config.classes, 1)
        self.projection = nn.Sequential(
            nn.Conv2d(config.width, config.width, 1), nn.ReLU(), nn.Conv2d(config.width, config.embedding, 1)
        )
        self.auxiliary_head = FCNHead(self.encoder.widths[2], config.classes)
        self.bank = MemoryBank(config.bank, config.samples, config.embedding)

    def items(self, source: ImageSource, seed: int) -> Dataset[Sample]:
        """Crops as `LabelledCrops` describes them.

        Raises:
            ConfigError: the source has no classes, or another number of them than `classes`.
            DatasetError: the source is empty.
        """
        names = source.class_names
        if len(names) != self.config.classes:
            raise ConfigError(
                f'objective.classes is {self.config.classes}, but the data has {len(names)} classes {names}: '
                + (
                    f'set objective.classes={len(names)}'
                    if names
                    else 'regional_contrast needs labelled data'
                )
            )
        if len(source) == 0:
            raise DatasetError('the data has no image to train with')
        return LabelledCrops(source, self.config.classes, self.config.size, self.augmentation, seed)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`segmentation`, `auxiliary`, `regional` and their weighted sum `total` of a batch of crops."""
        stages = self.encoder(input_channels(batch['rgb'], batch['depth_m'], batch['K']))
        features = self.pyramid(stages)
        logits, auxiliary = self.class_head(features), self.auxiliary_head(stages['stride16'])
        losses = {
            'segmentation': segmentation_loss(logits, batch['classes']),
            'auxiliary': segmentation_loss(auxiliary, batch['classes']),
        }
        if self.config.regional:
            with torch.autocast(features.device.type, enabled=False):
                embeddings = self.embed(features)
                losses['regional'] = self.contrast(embeddings, logits.detach().float(), batch['classes'])
        losses['total'] = torch.stack(
            [getattr(self.config, name) * value for name, value in losses.items()]
        ).sum()
        return losses

    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """Unit embeddings (B, D, h, w) float32 of the pyramid's features."""
        return F.normalize(self.projection(features.float()), dim=1, eps=1e-6)

    def contrast(self, embeddings: torch.Tensor, logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Contrast of a batch with itself and the bank, which then remembers the batch while training."""
        labels = classes[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        known = labels != IGNORE
        labels, embeddings = labels[known], embeddings.movedim(1, -1)[known]
        pick = balanced_draw(labels, self.config.samples)
        drawn, drawn_labels = embeddings[pick], labels[pick]
        bank, bank_labels = self.bank.contents()
        if self.config.contrast == 'nce':
            loss = regional_nce(drawn, drawn_labels, bank, bank_labels, self.config.nce_temperature)
        else:
            probability = logits.softmax(1).movedim(1, -1)[known].gather(1, labels[:, None])[:, 0]
            keys, key_labels = torch.cat([drawn.detach(), bank]), torch.cat([drawn_labels, bank_labels])
            loss = reco(embeddings, labels, probability, keys, key_labels, self.config.reco_temperature)
        if self.training:
            self.bank.push(drawn.detach(), drawn_labels)
        return loss

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """The contrasted embeddings, unit (B, D, h, w) at stride 4, of input channels (B, 9, H, W)."""
        return self.embed(self.pyramid(self.encoder(channels)))

    @torch.no_grad()
    def segment(self, image: LabelledImage) -> np.ndarray:
        """Class (H, W) uint8 of every pixel, in evaluation mode."""
        device = self.class_head.weight.device
        rgb, depth_m, K = fit_to_network(image.rgb, image.depth_m, image.K)
        arrays = (rgb.transpose(2, 0, 1), depth_m, K.astype(np.float32))
        batch = [torch.from_numpy(np.ascontiguousarray(array))[None].to(device) for array in arrays]
        logits = self.class_head(self.pyramid(self.encoder(input_channels(*batch)))).float()
        large = F.interpolate(logits, size=image.rgb.shape[:2], mode='bilinear', align_corners=False)
        return large[0].argmax(0).byte().cpu().numpy()

    @torch.no_grad()
    def validation(self, source: ImageSource, count: int) -> Validation:
        """Losses, and intersection over union by class on whole images, whose mean is the score."""
        found = super().validation(source, count)
        table = np.zeros((self.config.classes, self.config.classes), np.int64)
        for image in (source[k] for k in range(min(count, len(source)))):
            if image.classes is not None:
                table += confusion(image.classes, self.segment(image), self.config.classes)
        shares = intersection_over_union(table)
        names = [name.replace(' ', '_') for name in source.class_names]
        metrics = {f'iou/{names[k]}': share for k, share in shares.items()}
        mean = float(np.mean(list(shares.values()))) if shares else 0.0
        return Validation(found.metrics | metrics | {'iou/mean': mean}, found.pictures, score=mean)

    def pictures(self, images: list[LabelledImage]) -> dict[str, np.ndarray]:
        """Predicted classes in colour over each image, the true ones beside them where they are known."""
        found = {}
        for k, image in enumerate(images):
            layers = [self.segment(image)] + ([] if image.classes is None else [image.classes])
            found[f'classes/{k}'] = side_by_side([paint_classes(image.rgb, layer) for layer in layers])
        return found


def segmentation_loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of logits (B, C, h, w) at full size with classes (B, H, W); 0 if all are IGNORE."""
    large = F.interpolate(logits.float(), size=classes.shape[-2:], mode='bilinear', align_corners=False)
    total = F.cross_entropy(large, classes, ignore_index=IGNORE, reduction='sum')
    return total / (classes != IGNORE).sum().clamp(min=1)


def balanced_draw(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Places (min(N, count),) among labels (N,), none twice, every class as probable as another at first."""
    if len(labels) <= count:
        return torch.arange(len(labels), device=labels.device)
    _, member, counts = labels.unique(return_inverse=True, return_counts=True)
    return torch.multinomial(1 / counts[member].float(), count)


def confusion(truth: np.ndarray, predicted: np.ndarray, count: int) -> np.ndarray:
    """(count, count) pixels by true and by predicted class; true ones of IGNORE are left out."""
    known = truth != IGNORE
    pairs = count * truth[known].astype(np.int64) + predicted[known]
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def intersection_over_union(table: np.ndarray) -> dict[int, float]:
    """By class, of a table of `confusion`; a class that is neither there nor predicted has none."""
    both = np.diag(table)
    union = table.sum(0) + table.sum(1) - both
    return {int(k): float(both[k] / union[k]) for k in np.nonzero(union)[0]}
