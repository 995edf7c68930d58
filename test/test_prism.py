"""The axis of a prism against boxes whose axis is known."""

import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import angle_deg
from dense_descriptor_ros.prism import PrismConfig, fit_prism_axis

AXIS = np.array([0.6, 0.0, 0.8])
SIDES = np.array([[0.8, 0.0, -0.6], [0.0, 1.0, 0.0]])


def guess(rng, angle_rad):
    turn = rng.uniform(0, 2 * np.pi)
    tilted = AXIS + np.tan(angle_rad) * np.array([np.cos(turn), np.sin(turn)]) @ SIDES
    return tilted / np.linalg.norm(tilted)


@pytest.mark.parametrize('seed', range(4))
def test_two_walls_and_a_bottom_give_the_axis(seed):
    rng = np.random.default_rng(seed)
    normals = np.concatenate([np.repeat(SIDES, 100, 0), np.tile(AXIS, (60, 1))])
    normals = normals + rng.normal(0, 0.03, normals.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    fitted = fit_prism_axis(normals, np.ones(260), guess(rng, 0.2), PrismConfig())
    assert angle_deg(fitted, AXIS) < 1


def test_one_wall_turns_the_axis_into_its_plane_and_no_further():
    start = guess(np.random.default_rng(0), 0.2)
    fitted = fit_prism_axis(np.repeat(SIDES[:1], 100, 0), np.ones(100), start, PrismConfig())
    assert abs(fitted @ SIDES[0]) < 0.01
    np.testing.assert_allclose(fitted @ SIDES[1], start @ SIDES[1], atol=0.02)


def test_without_normals_the_guess_stays():
    fitted = fit_prism_axis(np.zeros((5, 3)), np.ones(5), AXIS, PrismConfig())
    np.testing.assert_allclose(fitted, AXIS, atol=1e-12)


def test_scales_are_positive():
    with pytest.raises(ConfigError, match='normal_rad'):
        PrismConfig(normal_rad=0)
