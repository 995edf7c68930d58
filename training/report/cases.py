"""The worst frames of an evaluation: what went wrong, and how far."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from dense_descriptor_ros.training.metrics.acf_metrics import Outcome
from dense_descriptor_ros.training.metrics.breakdown import RIGHT_DEG, RIGHT_MM
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame
from dense_descriptor_ros.training.metrics.truth import TrueFrame

KINDS = {
    'missed': 'no prediction with a score of 0.5 within 100 mm',
    'false alarm': 'a prediction with a score of 0.5 that belongs to no object',
    'wrong part': 'the keypoint lies on another part of an object',
    'mirrored': 'the axis points to the other side',
    'keypoint': 'the keypoint is off, more than the axis',
    'axis': 'the axis is off, more than the keypoint',
}
MIRRORED_DEG = 90.0


@dataclass(frozen=True)
class Case:
    """One frame that went wrong."""

    part: str
    kind: str
    """One of `KINDS`."""
    cost: float
    """How bad it is among its kind."""
    outcome: Outcome


def kind_and_cost(outcome: Outcome, others: list[TrueFrame]) -> tuple[str, float] | None:
    """What is wrong with an outcome, None if it is right; `others` are its image's other parts.

    A false alarm is as bad as its score, a miss as the object is visible, an error as it is large beside the
    thresholds of the main figure.
    """
    if outcome.predicted is None:
        return ('missed', outcome.truth.visible) if outcome.truth else None
    is_near = outcome.truth is not None and outcome.origin_mm < RIGHT_MM
    if not is_near and lies_on(outcome.predicted, others):
        return 'wrong part', outcome.predicted.score
    if outcome.truth is None:
        return 'false alarm', outcome.predicted.score
    if outcome.axis_deg > MIRRORED_DEG:
        return 'mirrored', outcome.axis_deg
    errors = {'keypoint': outcome.origin_mm / RIGHT_MM, 'axis': outcome.axis_deg / RIGHT_DEG}
    kind = max(errors, key=lambda name: errors[name])
    return (kind, errors[kind]) if errors[kind] >= 1 else None


def lies_on(predicted: PredictedFrame, truths: list[TrueFrame]) -> bool:
    """Whether the keypoint is that of one of the true frames."""
    return any(np.linalg.norm(predicted.origin_mm - truth.origin_mm) < RIGHT_MM for truth in truths)


def all_cases(outcomes: dict[str, list[Outcome]]) -> list[Case]:
    """Every frame that went wrong, the worst first within each kind."""
    cases = []
    truths = [outcome for results in outcomes.values() for outcome in results if outcome.truth]
    for part, results in outcomes.items():
        for outcome in results:
            others = [t.truth for t in truths if t.key == outcome.key and t.truth and t.truth.part != part]
            judged = kind_and_cost(outcome, others)
            if judged is not None:
                cases.append(Case(part, *judged, outcome))
    return sorted(cases, key=lambda case: -case.cost)


def worst_cases(cases: list[Case], count: int = 20) -> list[Case]:
    """The worst of each kind in turn, so that the most frequent kind does not hide the others."""
    by_kind = [[case for case in cases if case.kind == kind] for kind in KINDS]
    in_turn: Iterator[Case | None] = chain.from_iterable(zip_longest(*by_kind))
    return [case for case in in_turn if case is not None][:count]
