"""What the votes say of one object's parts, made consistent with the category's geometry."""

from dataclasses import dataclass, replace

import numpy as np

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.revolution import RevolutionConfig, fit_axis
from dense_descriptor_ros.votes import Votes


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
    votes: Votes, estimates: list[PartEstimate], category: Category, config: RevolutionConfig
) -> list[PartEstimate]:
    """Estimates with the object's axis of revolution fitted to its surface, for categories that have one.

    Votes know where the axis is to some degrees, the surface to a fraction of one. Parts on the axis get its
    direction and move onto it; for radial parts the direction from the axis to the keypoint counts as much as
    the votes for it.
    """
    on_axis = [i for i, part in enumerate(category.parts) if part.revolution == 'on_axis']
    if not on_axis:
        return estimates
    off_axis = [i for i in range(len(estimates)) if i not in on_axis]
    on_surface = (
        votes.weight * (1 - votes.on_part[:, off_axis]).prod(1) * np.linalg.norm(votes.normal, axis=1)
    )
    guess = unit(sum((estimates[i].axis for i in on_axis), np.zeros(3)))
    centre, axis = fit_axis(
        votes.point_m, votes.normal, on_surface, estimates[on_axis[0]].origin_m, guess, config
    )
    aligned = []
    for part, estimate in zip(category.parts, estimates, strict=True):
        from_centre = estimate.origin_m - centre
        if part.revolution == 'on_axis':
            estimate = replace(estimate, axis=axis, origin_m=centre + (from_centre @ axis) * axis)
        elif part.revolution == 'radial':
            directions = (normal_part(from_centre, axis), normal_part(estimate.axis, axis))
            known = [direction for direction in directions if direction is not None]
            if known:
                estimate = replace(estimate, axis=unit(np.sum(known, 0)))
        aligned.append(estimate)
    return aligned


def normal_part(direction: np.ndarray, axis: np.ndarray) -> np.ndarray | None:
    """Unit part (3,) of a direction normal to a unit axis; None if they are nearly parallel."""
    rest = direction - (direction @ axis) * axis
    length = float(np.linalg.norm(rest))
    return rest / length if length > 0.2 * float(np.linalg.norm(direction)) else None


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector (3,) at length 1; zero stays zero."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
