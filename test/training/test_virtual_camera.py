import cv2
import numpy as np
import pytest

from dense_descriptor_ros.geometry import apply, project, transform
from dense_descriptor_ros.training.augmentation.virtual_camera import virtual_camera

K = np.array([[210.0, 0, 81], [0, 205, 58], [0, 0, 1]])
CASES = [(1.0, 0.0, False), (0.5, 0.4, False), (1.7, -0.3, True), (1.0, 0.0, True)]


@pytest.mark.parametrize(('zoom', 'roll', 'mirrored'), CASES)
def test_points_and_pixels_move_together(zoom, roll, mirrored):
    camera = virtual_camera(K, np.array([70.0, 40.0]), 96, 64, zoom, roll, mirrored)
    p_camera = np.random.default_rng(0).uniform([-0.3, -0.3, 0.5], [0.3, 0.3, 1.5], (50, 3))
    warped = project(K, p_camera) @ camera.affine[:, :2].T + camera.affine[:, 2]
    np.testing.assert_allclose(warped, project(camera.K, p_camera @ camera.M.T), atol=1e-9)


@pytest.mark.parametrize(('zoom', 'roll', 'mirrored'), CASES)
def test_the_chosen_pixel_is_in_the_middle_and_the_zoom_is_as_asked(zoom, roll, mirrored):
    camera = virtual_camera(K, np.array([70.0, 40.0]), 96, 64, zoom, roll, mirrored)
    np.testing.assert_allclose(camera.affine @ [70, 40, 1], [47.5, 31.5], atol=1e-9)
    # Focal lengths that differ shear a rolled image a little; its area still grows by the zoom squared.
    assert np.linalg.det(camera.affine[:, :2]) == pytest.approx(zoom**2 * (-1 if mirrored else 1))


def test_object_points_come_back_from_a_mirror():
    camera = virtual_camera(K, np.array([70.0, 40.0]), 96, 64, 1.3, 0.5, True)
    angle = 0.7
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    T = transform(R, np.array([0.1, 0.2, 0.9]))
    p_object = np.random.default_rng(1).standard_normal((5, 3)) * 0.05
    p_virtual = apply(camera.T_virtual_object(T), p_object)
    np.testing.assert_allclose(camera.to_object(p_virtual, T), p_object, atol=1e-12)
    np.testing.assert_allclose(p_virtual[:, 2], apply(T, p_object)[:, 2])


def test_a_warped_image_shows_the_original_pixels():
    image = np.random.default_rng(2).integers(0, 255, (120, 160), np.uint8)
    camera = virtual_camera(K, np.array([79.5, 59.5]), 64, 32, 1.0, 0.0, False)
    np.testing.assert_array_equal(camera.warp(image, cv2.INTER_NEAREST), image[44:76, 48:112])
