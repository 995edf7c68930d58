"""From votes to affordance frames: instances are modes of the votes for the first part's keypoint.

Mode seeking by mean shift (Comaniciu and Meer 2002), then a robust mean per part by iteratively reweighted
least squares, so that votes cast across a depth edge count for nothing.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.confidence import Confidence, object_features
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.parts import PartEstimate, align_with_revolution, normal_part, weighted_quantile
from dense_descriptor_ros.prism import PrismConfig
from dense_descriptor_ros.revolution import RevolutionConfig
from dense_descriptor_ros.votes import Votes

SEEDS = 256
VOXELS = 1024
SUREST_CELLS = 3
"""A part is there if so many cells are sure of it; a sum over cells would grow with every doubtful one."""
VOTE_FLOOR_M = 0.005
"""No vote is trusted more than this, whatever the network says."""
OFF_PART_WEIGHT = 0.02
"""Of a vote from a cell that is surely not on the part."""
ITERATIONS = 8


@dataclass(frozen=True)
class DecodeConfig:
    """How votes become instances."""

    min_object_score: float = 0.1
    """A cell votes from this probability on."""
    bandwidth_m: float = 0.02
    """Votes this near to each other mean the same keypoint."""
    separation_m: float = 0.045
    """Two instances' centres are farther apart than this."""
    min_support_cells: float = 6.0
    """An instance has at least this much vote weight."""
    hidden_hallmark: float = 0.1
    """Share of the evidence that is left when the part that tells the category is not seen."""
    score_threshold: float = 0.02
    """Frames below are left out."""
    max_instances: int = 20
    revolution: RevolutionConfig = field(default_factory=RevolutionConfig)
    prism: PrismConfig = field(default_factory=PrismConfig)

    def __post_init__(self) -> None:
        for name in ('min_object_score', 'hidden_hallmark', 'score_threshold'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected 0 to 1')
        for name in ('bandwidth_m', 'separation_m', 'min_support_cells', 'max_instances'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected more than 0')


@dataclass(frozen=True)
class FoundObject:
    """One object of the category."""

    cells: np.ndarray
    """(N,) indices of its votes."""
    parts: list[PartEstimate]
    """In the category's order."""
    frames: list[AffordanceFrame]
    """The same; `instance` is its number."""
    features: np.ndarray
    """(F,) what its confidence is computed from."""


def decode(
    votes: Votes, category: Category, config: DecodeConfig, confidence: Confidence | None = None
) -> list[AffordanceFrame]:
    """Frames of every instance, best instance first."""
    return confident_frames(find_objects(votes, category, config, confidence), config)


def confident_frames(objects: list[FoundObject], config: DecodeConfig) -> list[AffordanceFrame]:
    """Frames of the objects, those below the score's threshold left out."""
    return [frame for found in objects for frame in found.frames if frame.score >= config.score_threshold]


def find_objects(
    votes: Votes, category: Category, config: DecodeConfig, confidence: Confidence | None = None
) -> list[FoundObject]:
    """Every instance, the best first. Without fitted confidence scores have an order, but no unit."""
    if votes.weight.sum() < config.min_support_cells:
        return []
    centres = find_modes(votes.keypoint_m[:, 0], certainty(votes, 0), config)
    distance = np.linalg.norm(votes.keypoint_m[:, None, 0] - centres[None], axis=-1)
    owner = np.where(distance.min(1) < config.separation_m, distance.argmin(1), -1)
    objects = []
    for index in range(len(centres)):
        cells = np.nonzero(owner == index)[0]
        if votes.weight[cells].sum() >= config.min_support_cells:
            objects.append(describe_object(votes[cells], cells, category, config, confidence))
    objects.sort(key=lambda found: -max(frame.score for frame in found.frames))
    return [
        replace(found, frames=[replace(frame, instance=number) for frame in found.frames])
        for number, found in enumerate(objects)
    ]


def certainty(votes: Votes, part: int) -> np.ndarray:
    """Weight (N,) of each vote for one part: inverse variance, and mostly from cells on the part."""
    variance = VOTE_FLOOR_M**2 + votes.spread_m[:, part] ** 2
    return votes.weight * (OFF_PART_WEIGHT + votes.on_part[:, part]) * VOTE_FLOOR_M**2 / variance


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


def describe_object(
    votes: Votes,
    cells: np.ndarray,
    category: Category,
    config: DecodeConfig,
    confidence: Confidence | None,
) -> FoundObject:
    """Parts and frames of one object from its own votes; `instance` is not numbered yet."""
    estimates = [estimate_part(votes, part, config) for part in range(len(category.parts))]
    estimates = align_with_revolution(votes, estimates, category, config.revolution, config.prism)
    by_name = dict(zip(category.part_names, estimates, strict=True))
    features = object_features(votes, estimates)
    scores = confidence(features) if confidence else plain_scores(votes, estimates, category, config)
    frames = []
    for part, estimate, score in zip(category.parts, estimates, scores, strict=True):
        needed = by_name[part.second_axis_needs]
        second = normal_part(needed.axis, estimate.axis) if needed.presence > 0.5 else None
        frames.append(
            AffordanceFrame(
                category.name, part.name, 0, float(score), estimate.origin_m, estimate.axis, second
            )
        )
    return FoundObject(cells, estimates, frames, features)


def plain_scores(
    votes: Votes, estimates: list[PartEstimate], category: Category, config: DecodeConfig
) -> list[float]:
    """Scores of the parts, 0 to 1, by a formula: what a checkpoint has until its confidence is fitted."""
    scores = []
    for part, estimate in zip(category.parts, estimates, strict=True):
        told = 1.0
        if category.hallmark and part.name != category.hallmark:
            hidden = config.hidden_hallmark
            told = hidden + (1 - hidden) * estimates[category.part_names.index(category.hallmark)].presence
        scores.append(float(np.sqrt(votes.weight.mean() * estimate.presence * told * estimate.agreement)))
    return scores


def estimate_part(votes: Votes, part: int, config: DecodeConfig) -> PartEstimate:
    """Robust means of the votes for one part."""
    points, weight = votes.keypoint_m[:, part], certainty(votes, part)
    origin = weighted_quantile(points, weight, 0.5)
    for _ in range(ITERATIONS):
        near = gaussian(points - origin, config.bandwidth_m) * weight + 1e-12
        origin = near @ points / near.sum()
    total = near @ votes.axis[:, part]
    length = float(np.linalg.norm(total))
    agreement = float(near.sum() / weight.sum()) ** 0.5 * length / float(near.sum())
    surest = np.sort(votes.weight * votes.on_part[:, part])[-SUREST_CELLS:]
    return PartEstimate(origin, total / max(length, 1e-9), min(agreement, 1.0), float(surest.mean()))
