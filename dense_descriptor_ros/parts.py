"""What the votes say of one object's parts, made consistent with the category's geometry."""

from dataclasses import dataclass, replace

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.prism import PrismConfig, fit_prism_axis
from dense_descriptor_ros.revolution import RevolutionConfig, fit_axis
from dense_descriptor_ros.votes import Votes

END_SHARE = 0.985
"""Of an object's surface that lies below its end; the rest may be stray points beside an edge."""


@dataclass(frozen=True)
class PartEstimate:
    """One part of one object, camera frame."""

    origin_m: np.ndarray
    """(3,)"""
    axis: np.ndarray
    """(3,) unit"""
    agreement: float
    """0 to 1: how far the votes agree."""
    presence: float
    """0 to 1: how surely the part is seen."""


def align_with_revolution(
    votes: Votes,
    estimates: list[PartEstimate],
    category: Category,
    config: RevolutionConfig,
    prism: PrismConfig,
) -> list[PartEstimate]:
    """Estimates with the object's axis of revolution fitted to its surface, for categories that have one.

    A member that is no surface of revolution, such as a square mug, has the axis of a prism. Votes know
    where the axis is to some degrees, the surface to a fraction of one. Parts on the axis get its direction
    and move onto it, the one at the end no lower than the surface reaches: votes that are torn between the
    two ends of a lying object meet in its middle. Radial parts point from the axis to their keypoint, which
    the votes know better than the direction itself.
    """
    on_axis = [i for i, part in enumerate(category.parts) if part.revolution == 'on_axis']
    if not on_axis or not votes.normal.any():
        return estimates
    off_axis = [i for i in range(len(estimates)) if i not in on_axis]
    on_surface = (
        votes.weight * (1 - votes.on_part[:, off_axis]).prod(1) * np.linalg.norm(votes.normal, axis=1)
    )
    guess = unit(sum((estimates[i].axis for i in on_axis), np.zeros(3)))
    centre, axis, explained = fit_axis(
        votes.point_m, votes.normal, on_surface, estimates[on_axis[0]].origin_m, guess, config
    )
    if explained < prism.explained_below:
        centre = estimates[on_axis[0]].origin_m
        axis = fit_prism_axis(votes.normal, on_surface, guess, prism)
    end_m = weighted_quantile((votes.point_m - centre) @ axis[:, None], on_surface, END_SHARE)[0]
    aligned = []
    for part, estimate in zip(category.parts, estimates, strict=True):
        from_centre = estimate.origin_m - centre
        if part.revolution == 'on_axis':
            along_m = max(from_centre @ axis, end_m) if part.at_end else from_centre @ axis
            estimate = replace(estimate, axis=axis, origin_m=centre + along_m * axis)
        elif part.revolution == 'radial':
            direction = normal_part(from_centre, axis)
            if direction is None:
                direction = normal_part(estimate.axis, axis)
            if direction is not None:
                estimate = replace(estimate, axis=direction)
        aligned.append(estimate)
    return aligned


def weighted_quantile(points: np.ndarray, weight: np.ndarray, share: float) -> np.ndarray:
    """(K,) value of each coordinate of points (N, K) below which this share of their weight (N,) lies."""
    order = np.argsort(points, axis=0)
    passed = np.cumsum(weight[order], axis=0) >= share * weight.sum()
    return np.take_along_axis(points, order, 0)[passed.argmax(0), np.arange(points.shape[1])]


def normal_part(direction: np.ndarray, axis: np.ndarray) -> np.ndarray | None:
    """Unit part (3,) of a direction normal to a unit axis; None if they are nearly parallel."""
    rest = direction - (direction @ axis) * axis
    length = float(np.linalg.norm(rest))
    return rest / length if length > 0.2 * float(np.linalg.norm(direction)) else None


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector (3,) at length 1; zero stays zero."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
