"""SetCon: slots found by predicting the set of slots of the next frame among those of other scenes.

Source: Löwe et al. 2020, "Learning object-centric video models by contrasting sets"
(https://arxiv.org/abs/2011.10287).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from torch import nn

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import SIZE_MULTIPLE, ModelConfig
from dense_descriptor_ros.training.augmentation.square_crop import central_crop, frame_sample
from dense_descriptor_ros.training.encoder import Encoder, input_channels
from dense_descriptor_ros.training.items.frame_triples import FrameTriples
from dense_descriptor_ros.training.networks.position import PositionEmbedding
from dense_descriptor_ros.training.networks.set_encoder import SetEncoder
from dense_descriptor_ros.training.networks.slot_attention import SlotAttention
from dense_descriptor_ros.training.objectives.objective import Batch, Objective, ObjectiveConfig
from dense_descriptor_ros.training.slots.pictures import coloured_masks, picture
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

SEEN_STAGES = ('stride4', 'stride8')
"""Stages of the encoder that the tokens are made of; the later ones are not trained."""


@dataclass(frozen=True)
class SetConConfig(ObjectiveConfig):
    """Sizes of the networks, and what the frames of a triple are."""

    name: str = 'setcon'
    slots: int = 7
    slot_width: int = 512
    hidden: int = 1024
    """Width of the hidden layers."""
    iterations: int = 3
    temperature: float = 0.5
    gap: int = 4
    """Images between the frames of a triple."""
    size_px: int = 128
    """Side of a frame; a token covers 8 pixels."""
    smallest_crop: float = 0.6
    """Smallest side of a frame's crop, of 1 for the largest square in the image."""
    mirror: float = 0.5
    """Probability."""
    jitter: float = 0.3
    """Largest relative change of brightness, contrast, saturation and white balance."""

    def __post_init__(self) -> None:
        for name in ('slots', 'slot_width', 'hidden', 'iterations', 'gap', 'temperature'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected more than 0')
        if self.size_px < SIZE_MULTIPLE or self.size_px % SIZE_MULTIPLE:
            raise ConfigError(f'objective.size_px is {self.size_px}: expected a multiple of {SIZE_MULTIPLE}')
        if not 0 < self.smallest_crop <= 1:
            raise ConfigError(
                f'objective.smallest_crop is {self.smallest_crop}: expected more than 0, at most 1'
            )
        if not 0 <= self.mirror <= 1:
            raise ConfigError(f'objective.mirror is {self.mirror}: expected a probability, 0 to 1')
        if not 0 <= self.jitter < 1:
            raise ConfigError(f'objective.jitter is {self.jitter}: expected 0 or more, less than 1')


class Transition(nn.Module):
    """Where each slot will be, from where it was at two times."""

    def __init__(self, slot_width: int, hidden: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Linear(3 * slot_width, hidden), nn.ReLU(), nn.Linear(hidden, slot_width)
        )

    def forward(self, earlier: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) one step after `now`, which is one step after `earlier`."""
        return now + self.change(torch.cat([earlier, now, now - earlier], -1))


class SetCon(Objective):
    """Encoder, slot attention from learned slots, transition and set encoder."""

    def __init__(self, config: SetConConfig, model: ModelConfig) -> None:
        super().__init__()
        self.config, self.model = config, model
        width, hidden = config.slot_width, config.hidden
        self.encoder = Encoder(model)
        self.project = nn.Conv2d(self.encoder.widths[1], width, 1)
        self.position = PositionEmbedding(width)
        self.token_mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.initial_slots = nn.Parameter(torch.randn(config.slots, width))
        self.slot_attention = SlotAttention(width, width, config.iterations, hidden)
        self.transition = Transition(width, hidden)
        self.set_encoder = SetEncoder(width, hidden, width)
        self.contrast = NTXentLoss(config.temperature)

    def items(self, source: ImageSource, seed: int) -> FrameTriples:
        """Triples of frames."""
        c = self.config
        return FrameTriples(source, seed, c.gap, c.size_px, c.smallest_crop, c.mirror, c.jitter)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`total` is NT-Xent between the sets of predicted and of found slots, log(2B - 1) if all are equal.

        `spread` is the root of the total variance of the unit vectors of sets: 0 if all are equal, at most 1.
        `accuracy` is the share of predictions whose own set is the most similar of the batch's.
        """
        triples = {name: batch[name].flatten(0, 1) for name in ('rgb', 'depth_m', 'K')}
        slots = self.slots(input_channels(triples['rgb'], triples['depth_m'], triples['K']))
        earlier, before, now = slots.unflatten(0, batch['rgb'].shape[:2]).unbind(1)
        with torch.autocast(slots.device.type, enabled=False):
            predicted = self.set_encoder(self.transition(earlier, before))
            sets = self.gather({'predicted': predicted, 'found': self.set_encoder(now)})
            total = self.contrast(sets['predicted'], sets['found'])
            unit = {name: F.normalize(values.detach(), dim=1) for name, values in sets.items()}
            nearest = (unit['predicted'] @ unit['found'].T).argmax(1)
            right = nearest == torch.arange(len(nearest), device=nearest.device)
            spread = unit['found'].var(0, correction=0).sum().sqrt()
        return {'total': total, 'spread': spread, 'accuracy': right.float().mean()}

    @property
    def frame_px(self) -> int:
        """Side of the frames that slots are made of."""
        return self.config.size_px

    def slots(self, channels: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) of frames (B, 9, H, W)."""
        return self.slots_and_masks(channels)[0]

    def masks(self, channels: torch.Tensor) -> torch.Tensor:
        """(B, S, h, w) at stride 8: the share of each cell that each slot took; sum 1 over the slots."""
        return self.slots_and_masks(channels)[1]

    def slots_and_masks(self, channels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Slots (B, S, D) and their masks (B, S, h, w) of frames (B, 9, H, W), in float32."""
        features = self.encoder(channels)['stride8']
        with torch.autocast(channels.device.type, enabled=False):
            located = self.position(self.project(features.float()))
            tokens = self.token_mlp(located.flatten(2).mT)
            slots, attention = self.slot_attention(tokens, self.initial_slots.expand(len(tokens), -1, -1))
        return slots, attention.unflatten(2, located.shape[-2:])

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, D, h, w) at stride 4: the two stages that are trained, at the same length."""
        stages = self.encoder(channels)
        fine, coarse = (F.normalize(stages[name].float(), dim=1, eps=1e-6) for name in SEEN_STAGES)
        coarse = F.interpolate(coarse, size=fine.shape[-2:], mode='bilinear', align_corners=False)
        return F.normalize(torch.cat([fine, coarse], 1), dim=1, eps=1e-6)

    @torch.no_grad()
    def pictures(self, images: list[LabelledImage]) -> dict[str, np.ndarray]:
        """`slots`: the images, and below them which slot took what, each slot in its colour."""
        frames = [frame_sample(central_crop(image, self.config.size_px)(image)) for image in images]
        device = self.initial_slots.device
        batch = {name: torch.stack([frame[name] for frame in frames]).to(device) for name in frames[0]}
        masks = self.masks(input_channels(batch['rgb'], batch['depth_m'], batch['K']))
        rgb = batch['rgb'] / 255
        return {'slots': picture([rgb, coloured_masks(rgb, masks)])}
