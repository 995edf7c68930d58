"""Training settings as frozen dataclasses; Hydra fills them and refuses unknown keys."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.augmentation import AugmentationConfig
from dense_descriptor_ros.training.objective import ObjectiveConfig
from dense_descriptor_ros.training.pairs import PairConfig


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and cosine decay; the saved weights are an exponential moving average."""

    steps: int = 8000
    pairs: int = 6
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warmup_steps: int = 200
    clip_norm: float = 10.0
    ema: float = 0.998

    def __post_init__(self) -> None:
        for name in ('steps', 'pairs', 'learning_rate', 'clip_norm'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'optimiser.{name} is {getattr(self, name)}: expected more than 0')


@dataclass(frozen=True)
class EveryConfig:
    """How often things happen, in steps."""

    log_steps: int = 20
    save_steps: int = 250
    val_steps: int = 500


@dataclass(frozen=True)
class TrainConfig:
    """Everything that `training/train.py` can be told."""

    data: Path = Path('data/mugs')
    split: str = 'train'
    category: str = 'mug'
    val_share: float = 0.05
    decoded: Path | None = Path('data/decoded')
    """Folder that keeps decoded images; None keeps none."""
    out: Path = Path('runs')
    name: str = 'mug'
    resume: bool = False
    init: Path | None = None
    """Checkpoint whose weights to begin with, for fine-tuning."""
    device: str = 'auto'
    seed: int = 0
    workers: int = 1
    val_images: int = 60
    calibration_images: int = 200
    """Validation images that the confidence is fitted to at the end."""
    model: ModelConfig = field(default_factory=ModelConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    pairs: PairConfig = field(default_factory=PairConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    every: EveryConfig = field(default_factory=EveryConfig)

    def __post_init__(self) -> None:
        if not 0 < self.val_share < 1:
            raise ConfigError(f'val_share is {self.val_share}: expected a share between 0 and 1')

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return self.out / self.name

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed, as plain values."""
        values = asdict(self)
        values['init'] = str(self.init) if self.init else None
        for key in ('resume', 'device', 'workers', 'out', 'name', 'data', 'decoded', 'every'):
            del values[key]
        del values['val_images'], values['calibration_images']
        return values


def schema() -> DictConfig:
    """Keys, types and defaults, writable: what comes from frozen dataclasses is read-only at first."""
    keys = OmegaConf.structured(TrainConfig)
    for node in (keys, *(keys[key] for key in keys if OmegaConf.is_config(keys[key]))):
        OmegaConf.set_readonly(node, False)
    return keys


def read_settings(config: DictConfig) -> TrainConfig:
    """Typed settings of a composed Hydra configuration.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or range.
    """
    try:
        settings = OmegaConf.to_object(OmegaConf.merge(schema(), config))
    except OmegaConfBaseException as error:
        raise ConfigError(f'configuration: {error}') from error
    if not isinstance(settings, TrainConfig):
        raise ConfigError(f'configuration gave a {type(settings).__name__}, expected TrainConfig')
    return settings
