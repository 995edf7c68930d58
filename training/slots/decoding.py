"""How much of an image its slots keep: a decoder learns to paint it from them alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.training.augmentation.square_crop import central_crop, frame_sample
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.networks.broadcast_decoder import BroadcastDecoder, Decoded
from dense_descriptor_ros.training.sampling import prepare_worker
from dense_descriptor_ros.training.slots.pictures import coloured_masks, picture
from dense_descriptor_ros.training.sources.image import ImageSource

SHOWN = 6


@runtime_checkable
class SlotModel(Protocol):
    """What has slots: a trained objective, in evaluation mode and on the device, or anything else."""

    def slots(self, channels: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) of input channels (B, 9, H, W)."""

    def masks(self, channels: torch.Tensor) -> torch.Tensor:
        """(B, S, h, w): share of each slot in each cell."""

    @property
    def frame_px(self) -> int:
        """Side of the frames that slots are made of."""


@dataclass(frozen=True)
class DecodingConfig:
    """How the decoder is trained, with Adam."""

    steps: int = 250_000
    batch: int = 64
    learning_rate: float = 1e-4
    channels: int = 64
    held_out: float = 0.2
    """Share of the images, the last ones, that the decoder is judged by."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('steps', 'batch', 'learning_rate', 'channels'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'decoder.{name} is {getattr(self, name)}: expected more than 0')
        if not 0 < self.held_out < 1:
            raise ConfigError(f'decoder.held_out is {self.held_out}: expected a share between 0 and 1')


@dataclass(frozen=True)
class SlotDecoding:
    """A decoder and how well it paints held-out images."""

    decoder: BroadcastDecoder
    errors: np.ndarray
    """(N,) mean squared error of each held-out image, of colours 0 to 1"""
    mean_image_errors: np.ndarray
    """(N,) the same of the mean of the images that the decoder was trained with"""
    picture: np.ndarray
    """(H, W, 3) uint8: held-out images, below them what was painted, and which slot painted what"""

    @property
    def mse(self) -> float:
        """Mean over the held-out images."""
        return float(self.errors.mean())

    @property
    def mean_image_mse(self) -> float:
        """What a decoder must beat that has learned anything."""
        return float(self.mean_image_errors.mean())


class WholeFrames(Dataset[dict[str, torch.Tensor]]):
    """The largest square in the middle of each image, as they are."""

    def __init__(self, images: ImageSource, size_px: int) -> None:
        self.images, self.size_px = images, size_px

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """`rgb`, `depth_m` and `K` of one frame."""
        image = self.images[index]
        return frame_sample(central_crop(image, self.size_px)(image))


def train_decoder(
    model: SlotModel,
    images: ImageSource,
    config: DecodingConfig,
    device: str | torch.device = 'cpu',
    workers: int = 0,
) -> SlotDecoding:
    """Train a decoder on the slots of the first images, and judge it by the last ones.

    The model stays as it is; it is asked once for each image.

    Raises:
        DatasetError: there are too few images to hold some out.
    """
    trained = round(len(images) * (1 - config.held_out))
    if not 0 < trained < len(images):
        raise DatasetError(
            f'{len(images)} images of which {config.held_out:.0%} are held out: expected some on both sides; '
            'take more images'
        )
    device = torch.device(device)
    slots, targets = slots_of(model, images, config, device, workers)
    decoder = fit(slots[:trained], targets[:trained], config, device)
    held_out = list(
        zip(slots[trained:].split(config.batch), targets[trained:].split(config.batch), strict=True)
    )
    mean = targets[:trained].float().mean(0, keepdim=True) / 255
    return SlotDecoding(
        decoder,
        errors=np.concatenate(
            [squared_errors(paint(decoder, s, device).image, target) for s, target in held_out]
        ),
        mean_image_errors=np.concatenate([squared_errors(mean, target) for _, target in held_out]),
        picture=picture_of(decoder, *held_out[0], device),
    )


@torch.no_grad()
def slots_of(
    model: SlotModel, images: ImageSource, config: DecodingConfig, device: torch.device, workers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slots (N, S, D) float32 of all images, and the images (N, 3, H, W) uint8."""
    loader = DataLoader(
        WholeFrames(images, model.frame_px),
        batch_size=config.batch,
        num_workers=workers,
        worker_init_fn=prepare_worker if workers else None,
        multiprocessing_context='forkserver' if workers else None,
    )
    slots, targets = [], []
    for batch in tqdm(loader, 'slots', unit='batch'):
        frames = {name: values.to(device) for name, values in batch.items()}
        channels = input_channels(frames['rgb'], frames['depth_m'], frames['K'])
        slots.append(model.slots(channels).float().cpu())
        targets.append(batch['rgb'])
    return torch.cat(slots), torch.cat(targets)


def fit(
    slots: torch.Tensor, targets: torch.Tensor, config: DecodingConfig, device: torch.device
) -> BroadcastDecoder:
    """A decoder trained on slots (N, S, D) of images (N, 3, H, W) uint8; in evaluation mode."""
    torch.manual_seed(config.seed)
    decoder = BroadcastDecoder(slots.shape[-1], targets.shape[-1], config.channels).to(device)
    optimiser = torch.optim.Adam(decoder.parameters(), config.learning_rate)
    bar = tqdm(batches(len(slots), config), 'decoder', total=config.steps, unit='step')
    for chosen in bar:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == 'cuda'):
            image = decoder(slots[chosen].to(device)).image
        loss = F.mse_loss(image, targets[chosen].to(device) / 255)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        bar.set_postfix(mse=f'{float(loss.detach()):.4f}', refresh=False)
    return decoder.eval()


def batches(count: int, config: DecodingConfig) -> Iterator[torch.Tensor]:
    """Indices of each step's images."""
    generator = torch.Generator().manual_seed(config.seed)
    for _ in range(config.steps):
        yield torch.randint(count, (config.batch,), generator=generator)


@torch.no_grad()
def paint(decoder: BroadcastDecoder, slots: torch.Tensor, device: torch.device) -> Decoded:
    """What a decoder makes of slots (B, S, D)."""
    return decoder(slots.to(device))


def squared_errors(image: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """(B,) mean squared error of images (B or 1, 3, H, W), 0 to 1, for targets (B, 3, H, W) uint8."""
    return (image.cpu() - target / 255).square().mean((1, 2, 3)).numpy()


def picture_of(
    decoder: BroadcastDecoder, slots: torch.Tensor, targets: torch.Tensor, device: torch.device
) -> np.ndarray:
    """(H, W, 3) uint8 of the first few."""
    decoded, images = paint(decoder, slots[:SHOWN], device), targets[:SHOWN] / 255
    return picture([images, decoded.image.cpu(), coloured_masks(images, decoded.masks.cpu())])
