"""How probable it is that a frame is right, from what its object's votes look like.

A logistic regression for each part, fitted to validation images after training (training/calibrate.py) and
kept in the checkpoint: a score of 0.8 then means that of ten such frames eight are right.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.parts import PartEstimate
from dense_descriptor_ros.votes import Votes

SMALL = 1e-3
"""Added before logarithms: of probabilities, and of metres."""


def object_features(votes: Votes, parts: list[PartEstimate]) -> np.ndarray:
    """(F,) what tells a found object from a false alarm and a good estimate from a poor one.

    How surely and by how many cells the object is seen; its size, by the distances between its keypoints and
    from its surface to the first; and for each part whether it is seen and how far its votes agree.
    """
    P = len(parts)
    origins = np.array([part.origin_m for part in parts])
    scatter_m = np.median(np.linalg.norm(votes.keypoint_m - origins, axis=-1), axis=0)
    first, second = np.triu_indices(P, 1)
    sizes = np.log(
        SMALL
        + np.append(
            np.linalg.norm(origins[first] - origins[second], axis=1),
            np.median(np.linalg.norm(votes.point_m - origins[0], axis=1)),
        )
    )
    return np.concatenate(
        [
            [np.log(votes.weight.mean() + SMALL), np.quantile(votes.weight, 0.9), np.log(len(votes))],
            sizes,
            sizes**2,
            np.log([part.presence + SMALL for part in parts]),
            [part.agreement for part in parts],
            np.log(np.median(votes.spread_m, axis=0) + SMALL),
            np.log(scatter_m + SMALL),
        ]
    )


@dataclass(frozen=True)
class Confidence:
    """The fitted regressions of P parts on F features."""

    mean: np.ndarray
    """(F,) of the features."""
    scale: np.ndarray
    """(F,) their standard deviation."""
    weights: np.ndarray
    """(P, F)"""
    bias: np.ndarray
    """(P,)"""

    def __post_init__(self) -> None:
        P, F = self.weights.shape
        if self.mean.shape != (F,) or self.scale.shape != (F,) or self.bias.shape != (P,):
            raise ConfigError(
                f'confidence has weights of shape {self.weights.shape} with mean {self.mean.shape}, scale '
                f'{self.scale.shape} and bias {self.bias.shape}: expected ({F},), ({F},) and ({P},)'
            )

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(P,) probabilities that the parts' frames are right, of an object with these features (F,)."""
        logit = self.weights @ ((features - self.mean) / self.scale) + self.bias
        return 1 / (1 + np.exp(-np.clip(logit, -50, 50)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: getattr(self, name).tolist() for name in ('mean', 'scale', 'weights', 'bias')}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'Confidence':
        """Inverse of `to_dict`.

        Raises:
            ConfigError: the shapes do not fit each other.
            KeyError: an entry is missing.
        """
        return cls(*(np.array(values[name], float) for name in ('mean', 'scale', 'weights', 'bias')))
