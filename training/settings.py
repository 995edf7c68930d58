"""Training settings as frozen dataclasses; Hydra fills them and refuses unknown keys."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.objectives.catalogue import config_of
from dense_descriptor_ros.training.objectives.dense_contrastive import DenseContrastiveConfig
from dense_descriptor_ros.training.objectives.objective import ObjectiveConfig
from dense_descriptor_ros.training.optimiser import OptimiserConfig


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
    source: str = 'auto'
    """Format of the data: auto, or one of `sources.open_source.KINDS`."""
    category: str = 'mug'
    val_share: float = 0.05
    decoded: Path | None = Path('data/decoded')
    """Folder that keeps decoded images; None keeps none."""
    out: Path = Path('runs')
    name: str = 'mug'
    resume: bool = False
    init: Path | None = None
    """What to begin with: a checkpoint of the same network, or the file of another objective."""
    device: str = 'auto'
    seed: int = 0
    workers: int = 1
    val_images: int = 60
    model: ModelConfig = field(default_factory=ModelConfig)
    objective: ObjectiveConfig = field(default_factory=DenseContrastiveConfig)
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
        del values['val_images']
        return values


def schema(objective: object) -> DictConfig:
    """Keys, types and defaults with an objective of this name; writable, as frozen dataclasses are not."""
    keys = OmegaConf.structured(TrainConfig)
    OmegaConf.set_readonly(keys, False)
    keys.objective = OmegaConf.structured(config_of(objective))
    for key in keys:
        if OmegaConf.is_config(keys[key]):
            OmegaConf.set_readonly(keys[key], False)
    return keys


def read_settings(config: DictConfig) -> TrainConfig:
    """Typed settings of a composed Hydra configuration.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or range.
    """
    try:
        name = OmegaConf.select(config, 'objective.name', default=DenseContrastiveConfig.name)
        settings = OmegaConf.to_object(OmegaConf.merge(schema(name), config))
    except OmegaConfBaseException as error:
        raise ConfigError(f'configuration: {error}') from error
    if not isinstance(settings, TrainConfig):
        raise ConfigError(f'configuration gave a {type(settings).__name__}, expected TrainConfig')
    return settings
