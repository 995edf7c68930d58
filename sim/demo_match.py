"""Compares the frames found in an image with the true ones, for the demonstration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import angle_deg

FARTHEST_MM = 100.0
"""Beyond this a found frame belongs to no true one."""
FOUND_MM = 20.0


@dataclass(frozen=True)
class Comparison:
    """One line of the table: a true frame and what was found for it, or a false alarm."""

    part: str
    true_instance: int | None
    """None for a false alarm."""
    score: float | None
    """None for a miss."""
    origin_error_mm: float | None = None
    axis_error_deg: float | None = None


def compare(true: Sequence[AffordanceFrame], found: Sequence[AffordanceFrame]) -> list[Comparison]:
    """Pair true and found frames of the same part, nearest first; false alarms come last."""
    distances_mm = sorted(
        (float(np.linalg.norm(f.origin_m - t.origin_m)) * 1e3, i, j)
        for i, t in enumerate(true)
        for j, f in enumerate(found)
        if t.part == f.part
    )
    partner: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for distance_mm, i, j in distances_mm:
        if distance_mm <= FARTHEST_MM and i not in partner and j not in taken:
            partner[i] = j, distance_mm
            taken.add(j)
    rows = []
    for i, frame in enumerate(true):
        if i not in partner:
            rows.append(Comparison(frame.part, frame.instance, None))
            continue
        j, distance_mm = partner[i]
        error_deg = float(angle_deg(found[j].axis, frame.axis))
        rows.append(Comparison(frame.part, frame.instance, found[j].score, distance_mm, error_deg))
    return rows + [Comparison(f.part, None, f.score) for j, f in enumerate(found) if j not in taken]


def mug_found(rows: Sequence[Comparison]) -> bool:
    """Whether an object was found with its handle, the origin of each of its visible parts within 20 mm."""
    objects: dict[int, list[Comparison]] = {}
    for row in rows:
        if row.true_instance is not None:
            objects.setdefault(row.true_instance, []).append(row)
    return any(
        'handle' in {row.part for row in parts}
        and all(row.origin_error_mm is not None and row.origin_error_mm <= FOUND_MM for row in parts)
        for parts in objects.values()
    )


@dataclass(frozen=True)
class PartSummary:
    """One part over every image of the demonstration."""

    part: str
    true_count: int
    found_count: int
    """Within 20 mm."""
    false_alarms: int
    median_origin_mm: float
    """Of the true frames for which something was found; NaN if none was."""
    median_axis_deg: float


def summarise(rows: Sequence[Comparison]) -> list[PartSummary]:
    """Figures of each part, in the order in which the parts first appear."""
    parts = dict.fromkeys(row.part for row in rows)
    return [summarise_part(part, [row for row in rows if row.part == part]) for part in parts]


def summarise_part(part: str, rows: Sequence[Comparison]) -> PartSummary:
    """Figures of the rows of one part."""
    origins = [row.origin_error_mm for row in rows if row.origin_error_mm is not None]
    axes = [row.axis_error_deg for row in rows if row.axis_error_deg is not None]
    return PartSummary(
        part=part,
        true_count=sum(row.true_instance is not None for row in rows),
        found_count=sum(error_mm <= FOUND_MM for error_mm in origins),
        false_alarms=sum(row.true_instance is None for row in rows),
        median_origin_mm=float(np.median(origins)) if origins else float('nan'),
        median_axis_deg=float(np.median(axes)) if axes else float('nan'),
    )
