"""Confidence: features of an object, and the regression on them."""

from dataclasses import replace

import numpy as np
import pytest

from dense_descriptor_ros.confidence import Confidence, object_features
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.parts import PartEstimate
from dense_descriptor_ros.votes import Votes

PARTS = np.array([[0.0, 0, 1], [0.07, 0, 1], [0, 0, 0.95]])


def found(count=50, scatter_m=0.004, seed=0):
    rng = np.random.default_rng(seed)
    points = PARTS[0] + 0.04 * rng.standard_normal((count, 3))
    votes = Votes(
        point_m=points,
        normal=np.tile([0, 0, -1.0], (count, 1)),
        weight=np.full(count, 0.8),
        keypoint_m=PARTS + rng.normal(0, scatter_m, (count, 3, 3)),
        spread_m=np.full((count, 3), 0.005),
        axis=np.tile([0, 0, 1.0], (count, 3, 1)),
        on_part=np.ones((count, 3)),
        cell=np.zeros((count, 2), int),
    )
    return votes, [PartEstimate(origin, np.array([0, 0, 1.0]), 0.9, 0.7) for origin in PARTS]


def test_features_do_not_depend_on_where_the_object_is():
    votes, parts = found()
    shift = np.array([0.3, -0.2, 0.5])
    moved = replace(votes, point_m=votes.point_m + shift, keypoint_m=votes.keypoint_m + shift)
    moved_parts = [replace(part, origin_m=part.origin_m + shift) for part in parts]
    np.testing.assert_allclose(object_features(moved, moved_parts), object_features(votes, parts), atol=1e-9)


def test_features_tell_agreement_size_and_number():
    plain = object_features(*found())
    assert np.isfinite(plain).all()
    votes, parts = found(scatter_m=0.02)
    assert (object_features(votes, parts)[-3:] > plain[-3:]).all()
    votes, parts = found(count=200)
    assert object_features(votes, parts)[2] == pytest.approx(np.log(200))
    votes, parts = found()
    doubled = [replace(part, origin_m=2 * part.origin_m) for part in parts]
    sizes = object_features(votes, doubled)[3:6] - plain[3:6]
    np.testing.assert_allclose(sizes, np.log(2), atol=0.02)


def test_the_regression_is_the_logistic_one_and_comes_back_from_json():
    confidence = Confidence(
        np.array([1.0, 0]), np.array([2.0, 1]), np.array([[3.0, 0], [0, -1]]), np.zeros(2)
    )
    features = np.array([2.0, 5.0])
    expected = 1 / (1 + np.exp([-1.5, 5.0]))
    np.testing.assert_allclose(confidence(features), expected)
    np.testing.assert_allclose(Confidence.from_dict(confidence.to_dict())(features), expected)


def test_extreme_features_stay_probabilities():
    confidence = Confidence(np.zeros(1), np.ones(1), np.ones((1, 1)), np.zeros(1))
    with np.errstate(all='raise'):
        assert 0 <= confidence(np.array([-1e9]))[0] < 1e-9 < 1 - confidence(np.array([1e9]))[0] + 1e-8


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match=r'\(2, 3\)'):
        Confidence(np.zeros(2), np.ones(2), np.ones((2, 3)), np.zeros(2))
