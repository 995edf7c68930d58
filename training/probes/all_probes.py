"""Every probe of one frozen objective, as one row of figures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dense_descriptor_ros.engine import has_bfloat16
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import SIZE_MULTIPLE, STRIDE
from dense_descriptor_ros.training.objectives.objective import Objective
from dense_descriptor_ros.training.probes import association, descriptors, detector, frames, parts, slots
from dense_descriptor_ros.training.probes.frozen import Describe, FrozenFeatures, FrozenView, image_channels
from dense_descriptor_ros.training.probes.slot_baselines import colour_kmeans, feature_kmeans, stripes
from dense_descriptor_ros.training.slots.decoding import DecodingConfig, SlotModel, train_decoder
from dense_descriptor_ros.training.sources.bop import BopImages

SLOT_SIDE_PX = 160
"""Images for slots are reduced to it: objects then have about the size of those in the crops of training."""
BASELINE_SLOTS = 7


@dataclass(frozen=True)
class ProbeConfig:
    """How much the probes look at."""

    train_views: int = 120
    test_views: int = 60
    max_side_px: int = 320
    pairs: int = 60
    decoder_steps: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('train_views', 'test_views', 'pairs', 'decoder_steps'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected at least 1')


def probe_all(
    objective: Objective, train: BopImages, test: BopImages, config: ProbeConfig
) -> dict[str, float]:
    """Figures as `PROBE/NAME`.

    The same backbone is read alike for every objective, as hypercolumns; only descriptors are matched as each
    objective means them. An objective without slots has figures of the masks that need none.
    """
    device = next(objective.parameters()).device
    columns = frozen(objective.encoder.hypercolumns, device)
    views = FrozenFeatures(columns, train, config.max_side_px, config.train_views, device)
    held_out = FrozenFeatures(columns, test, config.max_side_px, config.test_views, device)
    own = FrozenFeatures(
        frozen(objective.descriptors, device), test, config.max_side_px, config.test_views, device
    )
    figures = {
        'descriptors': descriptors.probe(own, config.pairs, config.seed),
        'association': association.probe(held_out, seed=config.seed),
        'parts': parts.probe(views, held_out, seed=config.seed),
        'detector': detector.probe(views, held_out, seed=config.seed),
        'frames': frames.probe(views, held_out, seed=config.seed),
    }
    small = FrozenFeatures(columns, test, SLOT_SIDE_PX, config.test_views, device)
    found = {
        f'slots by {name}': slots.probe(small, masks) for name, masks in baseline_masks(config.seed).items()
    }
    if isinstance(objective, SlotModel):
        found['slots'] = slots.probe(small, masks_of(objective, device))
        found['slots'] |= painted(objective, train, config, device)
    return {
        f'{probe}/{name}': value for probe, row in (figures | found).items() for name, value in row.items()
    }


def frozen(describe: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> Describe:
    """The same without gradients, in half precision where that is faster."""

    @torch.no_grad()
    def described(channels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            return describe(channels).float()

    return described


def baseline_masks(seed: int) -> dict[str, slots.Masks]:
    """Masks that need no slots."""
    return {
        'stripes': stripes(BASELINE_SLOTS),
        'k-means of colour': colour_kmeans(BASELINE_SLOTS, seed),
        'k-means of features': feature_kmeans(BASELINE_SLOTS, seed),
    }


def masks_of(objective: SlotModel, device: torch.device) -> slots.Masks:
    """Masks of a view by an objective's slots."""

    @torch.no_grad()
    def masks(view: FrozenView) -> torch.Tensor:
        height, width = view.image.depth_m.shape
        channels = F.pad(image_channels(view.image), (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE))
        found = objective.masks(channels.to(device))
        cells = tuple(side // STRIDE for side in channels.shape[-2:])
        large = F.interpolate(found.float(), size=cells, mode='bilinear', align_corners=False)
        return large[0, :, : height // STRIDE, : width // STRIDE].cpu()

    return masks


def painted(
    objective: SlotModel, images: BopImages, config: ProbeConfig, device: torch.device
) -> dict[str, float]:
    """How well a decoder paints held-out images from their slots."""
    settings = DecodingConfig(
        steps=config.decoder_steps, batch=16, learning_rate=1e-3, channels=16, seed=config.seed
    )
    result = train_decoder(objective, images, settings, device)
    return {'mse': result.mse, 'mean_image_mse': result.mean_image_mse}
