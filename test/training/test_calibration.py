"""Calibration against closed forms."""

import math

import numpy as np
import pytest

from dense_descriptor_ros.training.metrics.acf_metrics import PrecisionRecall
from dense_descriptor_ros.training.metrics.calibration import calibration_error, reliability


def curve(scores, hits):
    return PrecisionRecall(np.array(scores, float), np.array(hits, bool), len(scores))


def test_scores_that_are_probabilities_have_no_error():
    assert calibration_error(curve([0.75] * 4, [1, 1, 1, 0])) == pytest.approx(0)


def test_the_error_is_the_mean_distance_by_count():
    both = curve([0.95, 0.95, 0.25], [1, 0, 1])
    assert calibration_error(both) == pytest.approx((2 * 0.45 + 0.75) / 3)


def test_empty_bins_are_left_out():
    bins = reliability(curve([0.05, 0.06, 1.0], [0, 1, 1]))
    np.testing.assert_allclose(bins.score, [0.055, 1.0])
    np.testing.assert_allclose(bins.right, [0.5, 1.0])
    np.testing.assert_array_equal(bins.count, [2, 1])


def test_nothing_has_no_error():
    assert math.isnan(calibration_error(curve([], [])))
