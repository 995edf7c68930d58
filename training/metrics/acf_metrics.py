"""Accuracy of affordance frames: average precision, and errors at the operating point.

Average precision follows detection benchmarks such as PASCAL VOC (Everingham et al. 2010), with overlap
replaced by the distance of the origins (mm) and the signed angle between the axes (degrees). `acc_tp` divides
by the found frames only, as the released code of affordance coordinate frames (Chen et al.,
https://arxiv.org/abs/2009.14553) does; `acc_gt` by all required ones. Pure functions of frames in memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dense_descriptor_ros.training.metrics.predictions import PredictedFrame, Predictions
from dense_descriptor_ros.training.metrics.truth import ImageKey, TrueFrame

THRESHOLDS = ((10.0, 5.0), (20.0, 5.0), (20.0, 10.0), (50.0, 10.0), (50.0, 15.0))  # mm, degrees
GATE_MM = 100.0
"""A prediction farther than this from every true frame belongs to none."""
OPERATING_SCORE = 0.5

Truth = dict[ImageKey, list[TrueFrame]]


@dataclass(frozen=True)
class Outcome:
    """One frame at the operating point: a match, a miss (no prediction) or a false alarm (no truth)."""

    key: ImageKey
    truth: TrueFrame | None
    predicted: PredictedFrame | None
    origin_mm: float = math.nan
    """Distance of the origins."""
    axis_deg: float = math.nan
    """Angle between the axes."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Predictions of one part by falling score, those on objects that are not required left out."""

    scores: np.ndarray
    """(N,)"""
    hits: np.ndarray
    """(N,) bool"""
    required: int

    @property
    def precision(self) -> np.ndarray:
        """(N,) share of right ones among the first predictions."""
        return np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)

    @property
    def recall(self) -> np.ndarray:
        """(N,) share of required frames found by the first predictions."""
        return np.cumsum(self.hits) / max(self.required, 1)

    @property
    def area(self) -> float:
        """Average precision: area under the curve whose precision never rises with recall."""
        if not self.required:
            return math.nan
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float((np.diff(self.recall, prepend=0) * envelope).sum())


def frame_errors(predicted: PredictedFrame, truths: list[TrueFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Distances (mm) and axis angles (degrees) to each true frame; inf and 180 if not finite."""
    distances = np.array([np.linalg.norm(predicted.origin_mm - truth.origin_mm) for truth in truths])
    angles = np.array(
        [np.degrees(np.arccos(np.clip(predicted.axis @ truth.axis, -1, 1))) for truth in truths]
    )
    unusable = ~np.isfinite(distances) | ~np.isfinite(angles)
    distances[unusable], angles[unusable] = np.inf, 180.0
    return distances, angles


def of_part(
    truth: Truth, predictions: Predictions, part: str
) -> Iterator[tuple[ImageKey, list[TrueFrame], list[PredictedFrame]]]:
    """Each image's true and predicted frames of one part."""
    for key, frames in truth.items():
        yield (
            key,
            [frame for frame in frames if frame.part == part],
            [frame for frame in predictions.get(key, []) if frame.part == part],
        )


def precision_recall(
    truth: Truth, predictions: Predictions, part: str, t_mm: float, r_deg: float
) -> PrecisionRecall:
    """Scores and hits of the judged predictions, and how many frames there are to find."""
    judged = judged_predictions(truth, predictions, part, t_mm, r_deg)
    required = sum(frame.required for _, frames, _ in of_part(truth, predictions, part) for frame in frames)
    scores, hits = [frame.score for _, frame, _ in judged], [hit for _, _, hit in judged]
    return PrecisionRecall(np.array(scores, float), np.array(hits, bool), required)


def judged_predictions(
    truth: Truth, predictions: Predictions, part: str, t_mm: float, r_deg: float
) -> list[tuple[ImageKey, PredictedFrame, bool]]:
    """The predictions by falling score, each with whether it is right; each one right claims a true frame.

    A prediction is right if an unclaimed required frame lies within the thresholds; one on a frame that is
    not required counts neither way and is left out; all others are wrong.
    """
    truths, ranked = {}, []
    for key, true_frames, predicted_frames in of_part(truth, predictions, part):
        truths[key] = true_frames
        ranked += [(key, frame) for frame in predicted_frames]
    claimed: set[tuple[ImageKey, int]] = set()
    judged = []
    for key, predicted in sorted(ranked, key=lambda item: -item[1].score):
        free = [(key, index) not in claimed for index in range(len(truths[key]))]
        hit, index = judge(predicted, truths[key], free, t_mm, r_deg)
        if index is not None:
            claimed.add((key, index))
        if hit is not None:
            judged.append((key, predicted, hit))
    return judged


def judge(
    predicted: PredictedFrame, truths: list[TrueFrame], free: list[bool], t_mm: float, r_deg: float
) -> tuple[bool | None, int | None]:
    """Whether a prediction is right (None: neither way), and the true frame that it claims."""
    if not truths:
        return False, None
    distances, angles = frame_errors(predicted, truths)
    within = [i for i in np.argsort(distances) if free[i] and distances[i] < t_mm and angles[i] < r_deg]
    for index in within:
        if truths[index].required:
            return True, int(index)
    nearest = int(np.argmin(distances))
    on_unrequired = not truths[nearest].required and distances[nearest] < GATE_MM
    return (None if within or on_unrequired else False), None


def outcomes(truth: Truth, predictions: Predictions, part: str) -> list[Outcome]:
    """Matches, misses and false alarms of one part at the operating score.

    Predictions and true frames pair one to one, nearest first, within `GATE_MM`; pairs with frames that are
    not required are left out.
    """
    found = []
    for key, truths, candidates in of_part(truth, predictions, part):
        confident = [frame for frame in candidates if frame.score >= OPERATING_SCORE]
        pairs = nearest_pairs(truths, confident)
        found += [
            Outcome(key, truths[t], confident[p], distance, angle)
            for (t, p), (distance, angle) in pairs.items()
            if truths[t].required
        ]
        matched_truths, matched = {t for t, _ in pairs}, {p for _, p in pairs}
        found += [
            Outcome(key, frame, None)
            for t, frame in enumerate(truths)
            if t not in matched_truths and frame.required
        ]
        found += [Outcome(key, None, frame) for p, frame in enumerate(confident) if p not in matched]
    return found


def nearest_pairs(
    truths: list[TrueFrame], predicted: list[PredictedFrame]
) -> dict[tuple[int, int], tuple[float, float]]:
    """One-to-one pairs (true, predicted), nearest first, with their distance (mm) and angle (degrees)."""
    candidates = []
    for p, frame in enumerate(predicted):
        distances, angles = frame_errors(frame, truths)
        candidates += [(distances[t], p, t, angles[t]) for t in range(len(truths)) if distances[t] < GATE_MM]
    pairs: dict[tuple[int, int], tuple[float, float]] = {}
    used_truths, used_predicted = set(), set()
    for distance, p, t, angle in sorted(candidates):
        if t not in used_truths and p not in used_predicted:
            used_truths.add(t)
            used_predicted.add(p)
            pairs[t, p] = (float(distance), float(angle))
    return pairs


def operating_point(results: list[Outcome]) -> dict[str, float]:
    """Figures of one part's outcomes."""
    required = sum(result.truth is not None for result in results)
    matches = [result for result in results if result.truth and result.predicted]
    false_alarms = sum(result.truth is None for result in results)
    origin_mm = np.array([match.origin_mm for match in matches])
    axis_deg = np.array([match.axis_deg for match in matches])
    row = {
        'required': required,
        'found': len(matches),
        'false_alarms': false_alarms,
        'recall': ratio(len(matches), required),
        'precision': ratio(len(matches), len(matches) + false_alarms),
    }
    for name, values in (('origin_mm', origin_mm), ('axis_deg', axis_deg)):
        for q in (50, 90):
            row[f'{name}_p{q}'] = float(np.percentile(values, q)) if len(values) else math.nan
    for t_mm, r_deg in THRESHOLDS:
        right = int(((origin_mm < t_mm) & (axis_deg < r_deg)).sum())
        row[f'acc_gt_{t_mm:g}mm_{r_deg:g}deg'] = ratio(right, required)
        row[f'acc_tp_{t_mm:g}mm_{r_deg:g}deg'] = ratio(right, len(matches))
    return row


def ratio(part: int, whole: int) -> float:
    """NaN for nothing of nothing."""
    return part / whole if whole else math.nan


def acf_metrics(truth: Truth, predictions: Predictions, times_s: np.ndarray) -> dict[str, Any]:
    """Every figure, by part; images without predictions count as empty."""
    result: dict[str, Any] = {'images': len(truth), 'parts': {}}
    if len(times_s):
        result['time_s'] = {f'p{q}': float(np.percentile(times_s, q)) for q in (50, 95)}
    for part in part_names(truth):
        row = operating_point(outcomes(truth, predictions, part))
        for t_mm, r_deg in THRESHOLDS:
            row[f'ap_{t_mm:g}mm_{r_deg:g}deg'] = precision_recall(truth, predictions, part, t_mm, r_deg).area
        result['parts'][part] = row
    return result


def part_names(truth: Truth) -> list[str]:
    """Parts that the truth holds, sorted."""
    return sorted({frame.part for frames in truth.values() for frame in frames})
