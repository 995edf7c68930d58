"""Whether scores are probabilities: expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.training.metrics.acf_metrics import PrecisionRecall

BIN_EDGES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Reliability:
    """Predictions gathered by score, empty bins left out."""

    score: np.ndarray
    """(B,) mean score."""
    right: np.ndarray
    """(B,) share that is right."""
    count: np.ndarray
    """(B,)"""


def reliability(curve: PrecisionRecall) -> Reliability:
    """Score against share of right ones in bins of equal width."""
    bins = np.clip(np.digitize(curve.scores, BIN_EDGES) - 1, 0, len(BIN_EDGES) - 2)
    count = np.bincount(bins, minlength=len(BIN_EDGES) - 1)
    used = count > 0
    score = np.bincount(bins, curve.scores, minlength=len(count))[used] / count[used]
    right = np.bincount(bins, curve.hits, minlength=len(count))[used] / count[used]
    return Reliability(score, right, count[used])


def calibration_error(curve: PrecisionRecall) -> float:
    """Mean distance between score and share right, by the number of predictions; NaN without any."""
    bins = reliability(curve)
    if not len(bins.count):
        return float('nan')
    return float((bins.count * np.abs(bins.score - bins.right)).sum() / bins.count.sum())
