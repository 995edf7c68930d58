"""From votes to affordance frames: instances are modes of the votes for the first part's keypoint.

Mode seeking by mean shift (Comaniciu and Meer 2002), then a robust mean per part by iteratively reweighted
least squares, so that votes cast across a depth edge count for nothing.
"""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.votes import Votes

SEEDS = 256
VOXELS = 1024
ITERATIONS = 8


@dataclass(frozen=True)
class DecodeConfig:
    """How votes become instances."""

    min_object_score: float = 0.3
    """A cell votes from this probability on."""
    bandwidth_m: float = 0.02
    """Votes this near to each other mean the same keypoint."""
    separation_m: float = 0.045
    """Two instances' centres are farther apart than this."""
    min_support_cells: float = 6.0
    """An instance has at least this much vote weight."""
    score_threshold: float = 0.05
    """Frames below are left out."""
    max_instances: int = 20

    def __post_init__(self) -> None:
        for name in ('min_object_score', 'score_threshold'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected 0 to 1')
        for name in ('bandwidth_m', 'separation_m', 'min_support_cells', 'max_instances'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected more than 0')


def decode(votes: Votes, category: Category, config: DecodeConfig) -> list[AffordanceFrame]:
    """Frames of every instance, best instance first."""
    if votes.weight.sum() < config.min_support_cells:
        return []
    centres = find_modes(votes.keypoint_m[:, 0], certainty(votes, 0, config), config)
    distance = np.linalg.norm(votes.keypoint_m[:, None, 0] - centres[None], axis=-1)
    owner = np.where(distance.min(1) < config.separation_m, distance.argmin(1), -1)
    instances = []
    for index in range(len(centres)):
        own = votes[owner == index]
        if own.weight.sum() >= config.min_support_cells:
            instances.append(instance_frames(own, category, config))
    instances.sort(key=lambda frames: -max(frame.score for frame in frames))
    return [
        AffordanceFrame(
            frame.category, frame.part, number, frame.score, frame.origin_m, frame.axis, frame.second_axis
        )
        for number, frames in enumerate(instances)
        for frame in frames
        if frame.score >= config.score_threshold
    ]


def certainty(votes: Votes, part: int, config: DecodeConfig) -> np.ndarray:
    """Weight (N,) of each vote for one part: sure to be on an object, sure of the keypoint."""
    return votes.weight / (1 + (votes.spread_m[:, part] / config.bandwidth_m) ** 2)


def find_modes(points: np.ndarray, weight: np.ndarray, config: DecodeConfig) -> np.ndarray:
    """Modes (M, 3), densest first and at most `max_instances`, of weighted points (N, 3)."""
    points, weight = heaviest_voxels(points, weight, config.bandwidth_m / 2)
    seeds = points[:SEEDS]
    for _ in range(ITERATIONS):
        kernel = gaussian(seeds[:, None] - points[None], config.bandwidth_m) * weight
        seeds = kernel @ points / kernel.sum(1, keepdims=True)
    density = (gaussian(seeds[:, None] - points[None], config.bandwidth_m) * weight).sum(1)
    modes: list[np.ndarray] = []
    for seed in seeds[np.argsort(-density)]:
        if all(np.linalg.norm(seed - mode) > config.separation_m for mode in modes):
            modes.append(seed)
    return np.array(modes[: config.max_instances])


def heaviest_voxels(points: np.ndarray, weight: np.ndarray, size_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Means (M, 3) and weights (M,) of the points in each voxel, heaviest first, at most `VOXELS`.

    Votes agree where there is an object, so few voxels hold them; were all votes kept, an image full of
    scattered ones would take seconds.
    """
    _, voxel = np.unique(np.floor(points / size_m), axis=0, return_inverse=True)
    voxel = voxel.ravel()
    total = np.bincount(voxel, weight)
    mean = np.stack([np.bincount(voxel, weight * points[:, k]) for k in range(3)], 1) / total[:, None]
    order = np.argsort(-total)[:VOXELS]
    return mean[order], total[order]


def gaussian(offsets: np.ndarray, bandwidth: float) -> np.ndarray:
    """Gaussian kernel (...) of offsets (..., 3)."""
    return np.exp(-(offsets**2).sum(-1) / (2 * bandwidth**2))


def instance_frames(votes: Votes, category: Category, config: DecodeConfig) -> list[AffordanceFrame]:
    """Frames of all parts of one instance from its own votes; `instance` is not numbered yet."""
    estimates = [robust_frame(votes, part, config) for part in range(len(category.parts))]
    seen = (votes.visible * votes.weight[:, None]).sum(0) / votes.weight.sum()
    axes = {part.name: axis for part, (_, axis, _) in zip(category.parts, estimates, strict=True)}
    known = {part.name: bool(seen[i] > 0.5) for i, part in enumerate(category.parts)}
    found = float(votes.weight.mean())
    frames = []
    for i, (part, (origin, axis, agreement)) in enumerate(zip(category.parts, estimates, strict=True)):
        second = normal_part(axes[part.second_axis_needs], axis) if known[part.second_axis_needs] else None
        frames.append(
            AffordanceFrame(
                category.name, part.name, 0, float(found * seen[i] * agreement), origin, axis, second
            )
        )
    return frames


def robust_frame(votes: Votes, part: int, config: DecodeConfig) -> tuple[np.ndarray, np.ndarray, float]:
    """Keypoint (3,), unit axis (3,) and agreement (0 to 1) of the votes for one part."""
    points, weight = votes.keypoint_m[:, part], certainty(votes, part, config)
    origin = weighted_median(points, weight)
    for _ in range(ITERATIONS):
        near = gaussian(points - origin, config.bandwidth_m) * weight + 1e-9
        origin = near @ points / near.sum()
    total = near @ votes.axis[:, part]
    length = float(np.linalg.norm(total))
    agreement = float(near.sum() / weight.sum()) ** 0.5 * length / float(near.sum())
    return origin, total / max(length, 1e-9), min(agreement, 1.0)


def weighted_median(points: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Median (3,) of each coordinate of points (N, 3)."""
    order = np.argsort(points, axis=0)
    passed = np.cumsum(weight[order], axis=0) >= weight.sum() / 2
    return np.take_along_axis(points, order, 0)[passed.argmax(0), np.arange(3)]


def normal_part(direction: np.ndarray, axis: np.ndarray) -> np.ndarray | None:
    """Unit part (3,) of a direction normal to an axis; None if they are nearly parallel."""
    rest = direction - (direction @ axis) * axis
    length = float(np.linalg.norm(rest))
    return rest / length if length > 0.2 else None
