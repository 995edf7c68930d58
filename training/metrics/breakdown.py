"""Accuracy of affordance frames by how hard they are to see."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from dense_descriptor_ros.training.metrics.acf_metrics import Outcome, ratio
from dense_descriptor_ros.training.metrics.truth import MIN_PART_PX, TrueFrame

RIGHT_MM, RIGHT_DEG = 20.0, 10.0
"""Thresholds of the main figure."""


@dataclass(frozen=True)
class Condition:
    """A property of a true frame, and the bins that it falls into."""

    name: str
    value: Callable[[TrueFrame], float]
    bins: tuple[tuple[str, float, float], ...]
    """Label, lower bound (in), upper bound (out)."""


CONDITIONS = (
    Condition(
        'visible share of the object',
        lambda frame: 100 * frame.visible,
        (
            ('10-40 %', 10, 40),
            ('40-70 %', 40, 70),
            ('70-95 %', 70, 95),
            ('95-100 %', 95, math.inf),
        ),
    ),
    Condition(
        'pose of the object',
        lambda frame: frame.tilt_deg,
        (
            ('upright', -math.inf, 30),
            ('lying', 30, 150),
            ('upside down', 150, math.inf),
        ),
    ),
    Condition(
        'distance from the camera',
        lambda frame: frame.distance_mm / 1e3,
        (
            ('< 0.5 m', 0, 0.5),
            ('0.5-0.75 m', 0.5, 0.75),
            ('0.75-1 m', 0.75, 1.0),
            ('> 1 m', 1.0, math.inf),
        ),
    ),
    Condition(
        'handle',
        lambda frame: frame.handle_px,
        (
            ('hidden', 0, MIN_PART_PX),
            ('in sight', MIN_PART_PX, math.inf),
        ),
    ),
    Condition(
        'texture of the object',
        lambda frame: frame.texture,
        (
            ('plain', 0, 2),
            ('some', 2, 6),
            ('strong', 6, math.inf),
        ),
    ),
)


def is_right(outcome: Outcome) -> bool:
    """Whether a true frame was found within the main figure's thresholds."""
    return outcome.origin_mm < RIGHT_MM and outcome.axis_deg < RIGHT_DEG


def breakdown(results: list[Outcome], condition: Condition) -> dict[str, dict[str, float]]:
    """Required frames, recall and accuracy of one part's outcomes in each bin of a condition."""
    rows = {}
    for label, low, high in condition.bins:
        inside = [r for r in results if r.truth is not None and low <= condition.value(r.truth) < high]
        rows[label] = {
            'required': len(inside),
            'recall': ratio(sum(r.predicted is not None for r in inside), len(inside)),
            'acc_gt_20mm_10deg': ratio(sum(is_right(r) for r in inside), len(inside)),
        }
    return rows
