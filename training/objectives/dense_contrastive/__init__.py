"""The objective `dense_contrastive`: pixels that show one surface point should have one descriptor."""

from dense_descriptor_ros.training.objectives.dense_contrastive.config import DenseContrastiveConfig
from dense_descriptor_ros.training.objectives.dense_contrastive.objective import DenseContrastive

__all__ = ['DenseContrastive', 'DenseContrastiveConfig']
