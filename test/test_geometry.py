import numpy as np
import pytest

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.geometry import (
    angle_deg,
    apply,
    back_project,
    frame_rotation,
    inverse,
    pixel_grid,
    project,
    quaternion_to_rotation,
    rotation_to_quaternion,
    scale_intrinsics,
    transform,
)

K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def random_rotation(rng):
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def test_the_principal_point_is_straight_ahead():
    np.testing.assert_allclose(back_project(K, np.array([320.0, 240.0]), np.array(2.0)), [0, 0, 2])


def test_projection_of_a_known_point():
    np.testing.assert_allclose(project(K, np.array([0.2, -0.1, 2.0])), [370, 214.5])


def test_back_projection_inverts_projection():
    uv = pixel_grid(6, 8) * 70
    depth_m = np.random.default_rng(0).uniform(0.3, 3, (6, 8))
    np.testing.assert_allclose(project(K, back_project(K, uv, depth_m)), uv, atol=1e-9)


def test_pixel_grid_is_column_then_row():
    assert pixel_grid(2, 3)[1, 2].tolist() == [2, 1]


def test_a_transform_and_its_inverse_cancel():
    rng = np.random.default_rng(1)
    T = transform(random_rotation(rng), rng.standard_normal(3))
    points = rng.standard_normal((5, 3))
    np.testing.assert_allclose(apply(inverse(T), apply(T, points)), points, atol=1e-12)
    np.testing.assert_allclose(T @ inverse(T), np.eye(4), atol=1e-12)


def test_scaled_intrinsics_project_to_scaled_pixels():
    # Pixel centres are at integers: pixel u covers u - 0.5 to u + 0.5, which maps linearly.
    point = np.array([0.1, 0.2, 1.5])
    expected = (project(K, point) + 0.5) * [0.5, 0.25] - 0.5
    np.testing.assert_allclose(project(scale_intrinsics(K, 0.5, 0.25), point), expected)


@pytest.mark.parametrize('seed', range(20))
def test_quaternions_give_the_rotation_back(seed):
    R = random_rotation(np.random.default_rng(seed))
    q = rotation_to_quaternion(R)
    assert np.linalg.norm(q) == pytest.approx(1)
    np.testing.assert_allclose(quaternion_to_rotation(q), R, atol=1e-12)


@pytest.mark.parametrize('axis', range(3))
def test_quaternion_of_a_half_turn(axis):
    R = -np.eye(3)
    R[axis, axis] = 1
    np.testing.assert_allclose(np.abs(rotation_to_quaternion(R)), np.eye(4)[axis], atol=1e-12)


def test_a_quaternion_of_any_length_is_a_rotation():
    q = np.array([0, 0, np.sin(np.pi / 6), np.cos(np.pi / 6)])  # 60 degrees about z
    expected = [[0.5, -np.sqrt(0.75), 0], [np.sqrt(0.75), 0.5, 0], [0, 0, 1]]
    np.testing.assert_allclose(quaternion_to_rotation(7 * q), expected, atol=1e-12)


@pytest.mark.parametrize('q', [[0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_a_quaternion_without_direction_is_an_error(q):
    with pytest.raises(InputError, match='quaternion is'):
        quaternion_to_rotation(np.array(q, float))


def test_a_frame_has_z_along_the_axis_and_x_towards_the_second():
    R = frame_rotation(np.array([0, 0, 2.0]), np.array([3.0, 0, 1.0]))
    np.testing.assert_allclose(R, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


@pytest.mark.parametrize('second', [[0, 0, 5.0], [0, 0, 0], [np.nan, 0, 0]])
def test_directions_that_span_no_frame_are_refused(second):
    with pytest.raises(InputError, match='span no frame'):
        frame_rotation(np.array([0, 0, 1.0]), np.array(second))


def test_angles_between_known_directions():
    a = np.array([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]])
    b = np.array([[2.0, 0, 0], [0, 3, 0], [-1, 0, 0]])
    np.testing.assert_allclose(angle_deg(a, b), [0, 90, 180])
