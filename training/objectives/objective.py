"""What the trainer trains: the interface of an objective."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, default_collate

from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.distributed import gathered
from dense_descriptor_ros.training.encoder import Encoder
from dense_descriptor_ros.training.objectives.saved import save_objective
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

Sample = dict[str, torch.Tensor]
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ObjectiveConfig:
    """Settings of an objective; each has its own subclass."""

    name: str


@dataclass(frozen=True)
class Validation:
    """What a network reaches on images that it was not trained with."""

    metrics: dict[str, float]
    """By name, as TensorBoard groups them: `val/` is put before."""
    pictures: dict[str, np.ndarray]
    """(H, W, 3) uint8 by name."""
    score: float
    """The best checkpoint has the highest."""


class Objective(nn.Module, ABC):
    """A task that trains an encoder: its further networks, its items and its loss.

    Everything with a gradient is built in the constructor, so that the optimiser and the saved state hold it.
    Random numbers come from torch's global generator in `losses`, which the trainer seeds every step, and in
    items from a `numpy.random.Generator` seeded by `[seed, position]`: a resumed run repeats an unbroken one.
    """

    config: Any
    """Its own subclass of `ObjectiveConfig`."""
    model: ModelConfig
    encoder: Encoder

    @abstractmethod
    def items(self, source: ImageSource, seed: int) -> Dataset[Sample]:
        """What batches are collated of.

        A data set that is read at `position` = epoch * len + item, so that every epoch augments anew.

        Raises:
            ConfigError: this objective cannot be trained from such a source.
            DatasetError: the source shows nothing to train with.
        """

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalars by name; `total` is what is minimised, others may be figures such as the collapse alarm."""

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`losses`, by the name that torch's wrappers of modules know."""
        return self.losses(batch)

    def gather(self, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tensors (B, ...) of all processes that train together, in a row: for losses within the batch.

        In evaluation they stay as they are: one process validates, alone, and would wait for the rest.
        """
        return gathered(values) if self.training else dict(values)

    def after_step(self, progress: float) -> None:
        """Called after each optimiser step with the share of all steps done, 0 to 1: for moving averages."""

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, D, h, w) at stride 4 of input channels (B, 9, H, W): what is compared."""
        return self.encoder.hypercolumns(channels)

    @torch.no_grad()
    def validation(self, source: ImageSource, count: int) -> Validation:
        """Losses of at most `count` items of a held-out source, and pictures of its first images.

        Called in evaluation mode; nothing but torch's random state changes.
        """
        items = self.items(source, seed=0)
        size = min(count, len(items))  # type: ignore[arg-type]
        batch = default_collate([items[position] for position in range(size)])
        device = next(self.parameters()).device
        losses = self.losses({name: value.to(device) for name, value in batch.items()})
        metrics = {f'loss/{name}': float(value) for name, value in losses.items()}
        images = [source[k] for k in range(min(4, len(source)))]
        return Validation(metrics, self.pictures(images), score=-metrics['loss/total'])

    def pictures(self, images: list[LabelledImage]) -> dict[str, np.ndarray]:
        """(H, W, 3) uint8 by name: what the network makes of some images, for TensorBoard."""
        return {}

    def save(self, path: Path, provenance: dict[str, Any], metrics: dict[str, float]) -> None:
        """Write what was learned, for use outside this trainer."""
        save_objective(path, self, asdict(self.config), self.model, provenance, metrics)

    def finish(self, folder: Path, source: ImageSource) -> None:
        """Called at the end of a training with the run's folder and the held-out images."""
