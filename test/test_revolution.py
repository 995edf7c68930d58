import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import angle_deg
from dense_descriptor_ros.revolution import RevolutionConfig, fit_axis

CENTRE = np.array([0.05, -0.1, 0.7])
AXIS = np.array([0.6, 0.0, 0.8])


def rotation_to_axis():
    x = np.array([0.8, 0.0, -0.6])
    return np.stack([x, np.cross(AXIS, x), AXIS], 1)


def cone(rng, count=300, slope=0.2, arc_rad=2.0, length_m=0.09):
    """Points and normals on the seen arc of a cone about AXIS through CENTRE."""
    angle, z = rng.uniform(0, arc_rad, count), rng.uniform(-length_m / 2, length_m / 2, count)
    radius = 0.04 + slope * z
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1)
    normals = np.stack([np.cos(angle), np.sin(angle), np.full(count, -slope)], 1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    R = rotation_to_axis()
    return points @ R.T + CENTRE, normals @ R.T


def guess(rng, angle_rad=0.25, shift_m=0.008):
    R = rotation_to_axis()
    turn = rng.uniform(0, 2 * np.pi)
    off = np.array([np.cos(turn), np.sin(turn), 0]) @ R.T
    axis = AXIS + np.tan(angle_rad) * off
    return CENTRE - shift_m * off, axis / np.linalg.norm(axis)


def line_error(centre, axis):
    """Distance (m) of the fitted line from CENTRE, and angle (degrees) to AXIS."""
    return np.linalg.norm(np.cross(CENTRE - centre, axis)), float(angle_deg(axis, AXIS))


@pytest.mark.parametrize('slope', [0.0, 0.2, -0.4])
@pytest.mark.parametrize('seed', range(4))
def test_an_exact_surface_gives_its_axis(slope, seed):
    rng = np.random.default_rng(seed)
    points, normals = cone(rng, slope=slope)
    fit = fit_axis(points, normals, np.ones(300), *guess(rng), RevolutionConfig())
    distance_m, angle = line_error(fit.centre_m, fit.axis)
    assert distance_m < 0.0015
    assert angle < 1.5


@pytest.mark.parametrize('seed', range(6))
def test_noise_and_a_fifth_of_other_points_do_little_harm(seed):
    rng = np.random.default_rng(seed)
    points, normals = cone(rng)
    normals += rng.normal(0, 0.05, normals.shape)
    points += rng.normal(0, 0.001, points.shape)
    normals[:60] = rng.standard_normal((60, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    fit = fit_axis(points, normals, np.ones(300), *guess(rng), RevolutionConfig())
    distance_m, angle = line_error(fit.centre_m, fit.axis)
    assert distance_m < 0.004
    assert angle < 4


def test_points_without_weight_count_for_nothing():
    rng = np.random.default_rng(0)
    points, normals = cone(rng)
    other_points, other_normals = rng.standard_normal((2, 300, 3))
    weight = np.concatenate([np.ones(300), np.zeros(300)])
    start = guess(rng)
    both = fit_axis(
        np.concatenate([points, other_points]),
        np.concatenate([normals, other_normals]),
        weight,
        *start,
        RevolutionConfig(),
    )
    alone = fit_axis(points, normals, np.ones(300), *start, RevolutionConfig())
    np.testing.assert_allclose(np.hstack(both), np.hstack(alone), atol=1e-9)


def test_a_sphere_leaves_the_direction_as_guessed():
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((300, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centre, axis = guess(rng, shift_m=0.0)
    fitted_centre, fitted_axis, _ = fit_axis(
        CENTRE + 0.04 * normals, normals, np.ones(300), centre, axis, RevolutionConfig()
    )
    np.testing.assert_allclose(fitted_axis, axis, atol=1e-3)
    np.testing.assert_allclose(fitted_centre, CENTRE, atol=1e-4)


def test_without_points_the_guess_stays():
    centre, axis = guess(np.random.default_rng(1))
    fitted = fit_axis(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), centre, axis, RevolutionConfig())
    np.testing.assert_allclose(np.hstack(fitted), np.hstack([centre, axis, 1]), atol=1e-12)


def test_a_surface_of_revolution_is_explained_and_a_box_is_not():
    rng = np.random.default_rng(0)
    points, normals = cone(rng)
    assert fit_axis(points, normals, np.ones(300), *guess(rng, 0.05), RevolutionConfig()).explained > 0.95
    R = rotation_to_axis()
    across, z = rng.uniform(-0.035, 0.035, 150), rng.uniform(-0.05, 0.05, (2, 150))
    half = np.full(150, 0.035)
    sides = [np.stack([half, across, z[0]], 1), np.stack([across, half, z[1]], 1)]
    flat = np.concatenate([np.tile(R[:, 0], (150, 1)), np.tile(R[:, 1], (150, 1))])
    box = fit_axis(np.concatenate(sides) @ R.T + CENTRE, flat, np.ones(300), CENTRE, AXIS, RevolutionConfig())
    assert box.explained < 0.3


def test_scales_are_positive():
    with pytest.raises(ConfigError, match='axis_rad'):
        RevolutionConfig(axis_rad=0)
