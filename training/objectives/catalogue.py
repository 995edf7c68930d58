"""Every objective by name, and how one is built from the settings."""

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.objectives.dense_contrastive import (
    DenseContrastive,
    DenseContrastiveConfig,
)
from dense_descriptor_ros.training.objectives.object_centric import ObjectCentric, ObjectCentricConfig
from dense_descriptor_ros.training.objectives.objective import Objective, ObjectiveConfig
from dense_descriptor_ros.training.objectives.regional_contrast import (
    RegionalContrast,
    RegionalContrastConfig,
)
from dense_descriptor_ros.training.objectives.setcon import SetCon, SetConConfig
from dense_descriptor_ros.training.objectives.univip import Univip, UnivipConfig

CONFIGS: dict[str, type[ObjectiveConfig]] = {
    config.name: config
    for config in (
        DenseContrastiveConfig,
        SetConConfig,
        RegionalContrastConfig,
        UnivipConfig,
        ObjectCentricConfig,
    )
}


def config_of(name: object) -> type[ObjectiveConfig]:
    """The settings of an objective.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in CONFIGS:
        raise ConfigError(f'objective {name!r} is unknown: expected one of {list(CONFIGS)}')
    return CONFIGS[str(name)]


def build_objective(
    config: ObjectiveConfig,
    model: ModelConfig,
    category: Category,
    pairs: PairConfig,
    augmentation: AugmentationConfig,
) -> Objective:
    """The objective of some settings, with initial weights."""
    if isinstance(config, DenseContrastiveConfig):
        return DenseContrastive(config, model, category, pairs, augmentation)
    if isinstance(config, RegionalContrastConfig):
        return RegionalContrast(config, model, augmentation)
    if isinstance(config, SetConConfig):
        return SetCon(config, model)
    if isinstance(config, UnivipConfig):
        return Univip(config, model)
    if isinstance(config, ObjectCentricConfig):
        return ObjectCentric(config, model)
    raise ConfigError(f'no objective is built from a {type(config).__name__}')
