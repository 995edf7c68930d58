import numpy as np

from dense_descriptor_ros.parts import normal_part, unit, weighted_quantile


def test_weighted_quantile():
    points = np.array([[0.0, 5, 1], [1, 4, 1], [10, 3, 1]])
    np.testing.assert_allclose(weighted_quantile(points, np.ones(3), 0.5), [1, 4, 1])
    np.testing.assert_allclose(weighted_quantile(points, np.array([1.0, 1, 5]), 0.5), [10, 3, 1])
    np.testing.assert_allclose(weighted_quantile(points, np.ones(3), 0.9), [10, 5, 1])


def test_normal_part():
    z = np.array([0, 0, 1.0])
    np.testing.assert_allclose(normal_part(np.array([3.0, 4, 7]), z), [0.6, 0.8, 0])
    assert normal_part(np.array([0.1, 0, 7]), z) is None


def test_unit_leaves_zero():
    np.testing.assert_allclose(unit(np.array([0, 3.0, 4])), [0, 0.6, 0.8])
    np.testing.assert_array_equal(unit(np.zeros(3)), np.zeros(3))
