"""Settings of the objective `object_centric`."""

from dataclasses import dataclass

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.preprocess import INPUT_CHANNELS
from dense_descriptor_ros.training.items.multi_crop import CropConfig
from dense_descriptor_ros.training.networks.vit import COLOUR_CHANNELS
from dense_descriptor_ros.training.objectives.objective import ObjectiveConfig

CHOICES = {
    'name': ('object_centric',),
    'backbone': ('stages', 'vit'),
    'stage': ('stride4', 'stride8', 'stride16'),
    'vit_channels': (COLOUR_CHANNELS, INPUT_CHANNELS),
    'vit_patch_px': (4, 8, 16, 32),
    'wiring': ('global_only', 'two_branches', 'global_over_slots'),
    'global_head': ('average', 'cls'),
    'queries': ('learned', 'sample', 'kmeans'),
    'object_function': ('slot_attention', 'cross_attention', 'co_attention'),
    'global_loss': ('none', 'ctr', 'sim'),
    'object_loss': ('none', 'ctr_all', 'ctr_img', 'sim_img'),
}
WIDTH_MULTIPLE = 4
"""Number of heads, and of parts that a place is encoded in."""
CROP_MULTIPLE_PX = 32


@dataclass(frozen=True)
class ObjectCentricConfig(ObjectiveConfig):
    """The network's parts, its losses and its crops."""

    name: str = 'object_centric'
    backbone: str = 'stages'
    """Common four-stage network, or `vit`."""
    stage: str = 'stride8'
    """Grid of the tokens of `stages`."""
    vit_depth: int = 4
    vit_patch_px: int = 8
    vit_channels: int = 9
    """Or 3: colour alone."""
    token_width: int = 128
    """C; the width of `vit`."""
    wiring: str = 'global_over_slots'
    """What the vector of the whole image comes from: tokens without slots (`global_only`), tokens with slots
    beside (`two_branches`), or the mean of the slots."""
    global_head: str = 'average'
    """Of the tokens, or `cls`, which only `vit` has."""
    queries: str = 'learned'
    object_function: str = 'slot_attention'
    slots: int = 7
    slot_width: int = 128
    iterations: int = 3
    """Of slot attention; layers of the other object functions."""
    projection_width: int = 128
    """Of what the losses compare."""
    global_loss: str = 'ctr'
    object_loss: str = 'sim_img'
    temperature: float = 0.1
    """Of `ctr`, `ctr_all` and `ctr_img`."""
    global_weight: float = 1.0
    object_weight: float = 1.0
    variance: float = 0.5
    """Weight; 0 leaves the term out."""
    covariance: float = 0.3
    """Weight; 0 leaves the term out."""
    large_px: int = 128
    small_px: int = 64
    small_crops: int = 4
    large_share_min: float = 0.6
    """Large crops show this share to all of the image's largest square, by area."""
    small_share_min: float = 0.2
    """Small crops show this share to that of large ones."""
    mirror: float = 0.5
    """Probability."""

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ConfigError(f'objective.{key} is {getattr(self, key)!r}: expected one of {choices}')
        self.check_numbers()
        self.check_together()

    def check_numbers(self) -> None:
        """Raise ConfigError for a number out of its range."""
        for key in ('vit_depth', 'slots', 'iterations', 'projection_width', 'temperature'):
            if getattr(self, key) <= 0:
                raise ConfigError(f'objective.{key} is {getattr(self, key)}: expected more than 0')
        for key in ('global_weight', 'object_weight', 'variance', 'covariance', 'small_crops'):
            if getattr(self, key) < 0:
                raise ConfigError(f'objective.{key} is {getattr(self, key)}: expected 0 or more')
        multiples = {'token_width': WIDTH_MULTIPLE, 'slot_width': WIDTH_MULTIPLE}
        for key, of in (multiples | {'large_px': CROP_MULTIPLE_PX, 'small_px': CROP_MULTIPLE_PX}).items():
            if getattr(self, key) <= 0 or getattr(self, key) % of:
                raise ConfigError(f'objective.{key} is {getattr(self, key)}: expected a multiple of {of}')
        if not 0 <= self.mirror <= 1:
            raise ConfigError(f'objective.mirror is {self.mirror}: expected a probability, 0 to 1')
        if not 0 < self.small_share_min <= self.large_share_min <= 1:
            raise ConfigError(
                f'objective.small_share_min is {self.small_share_min} and large_share_min '
                f'{self.large_share_min}: expected 0 < small <= large <= 1'
            )

    def check_together(self) -> None:
        """Raise ConfigError for settings of which one makes another useless."""
        if not self.has_slots and self.object_loss != 'none':
            raise ConfigError(
                f'objective.object_loss is {self.object_loss!r}, but wiring global_only has no slots: '
                "expected 'none', or another wiring"
            )
        if self.global_loss == 'none' and self.object_loss == 'none':
            raise ConfigError(
                "objective.global_loss and object_loss are both 'none': expected one to train with"
            )
        if self.wiring == 'two_branches' and self.object_loss == 'none':
            raise ConfigError(
                "objective.object_loss is 'none', so nothing trains the slots of wiring two_branches: "
                'expected an object loss, or wiring global_only'
            )
        if self.global_head == 'cls' and (self.backbone != 'vit' or self.wiring == 'global_over_slots'):
            raise ConfigError(
                f'objective.global_head is cls with backbone {self.backbone} and wiring {self.wiring}: '
                'expected backbone vit, which has such a token, and a wiring that reads it'
            )

    @property
    def has_slots(self) -> bool:
        """Whether the wiring has slots."""
        return self.wiring != 'global_only'

    @property
    def crops(self) -> CropConfig:
        """How images are cut."""
        return CropConfig(
            large_px=self.large_px,
            small_px=self.small_px,
            small_crops=self.small_crops if self.global_loss != 'none' else 0,
            large_share_min=self.large_share_min,
            small_share_min=self.small_share_min,
            mirror=self.mirror,
        )
