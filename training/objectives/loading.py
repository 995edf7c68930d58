"""Objectives from the files of their trainings."""

from pathlib import Path

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import CheckpointError, ConfigError
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.objectives.catalogue import build_objective, config_of
from dense_descriptor_ros.training.objectives.objective import Objective
from dense_descriptor_ros.training.objectives.saved import load_saved, restore


def load_objective(path: Path) -> Objective:
    """A trained objective, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, or holds no objective that there is.
    """
    saved = load_saved(path)
    try:
        config = config_of(saved.config.get('name'))(**saved.config)
        category = load_category('mug')  # none of those saved so depends on it
        objective = build_objective(config, saved.model, category, PairConfig(), AugmentationConfig())
        restore(objective, saved.tensors)
    except (TypeError, ConfigError, CheckpointError) as error:
        raise CheckpointError(f'{path}: {error}') from error
    return objective.eval()
