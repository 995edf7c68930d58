"""The objective `object_centric`: two crops of a scene should agree on the whole and on its objects."""

from dense_descriptor_ros.training.objectives.object_centric.config import ObjectCentricConfig
from dense_descriptor_ros.training.objectives.object_centric.objective import ObjectCentric

__all__ = ['ObjectCentric', 'ObjectCentricConfig']
