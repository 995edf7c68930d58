"""Degradations against what they promise."""

import numpy as np
import pytest

from dense_descriptor_ros.geometry import back_project, project
from dense_descriptor_ros.training.metrics.degradations import (
    DEGRADATIONS,
    grey,
    lost_patches,
    lost_pixels,
    noise,
    resized,
    wide_angle,
)

K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (480, 640, 3), np.uint8), np.full((480, 640), 0.8, np.float32), K


@pytest.mark.parametrize('name', DEGRADATIONS)
def test_every_degradation_leaves_an_image_of_its_own_kind(image, name):
    rgb, depth_m, _ = DEGRADATIONS[name](*image, np.random.default_rng(0))
    assert rgb.dtype == np.uint8
    assert depth_m.dtype == np.float32
    assert rgb.shape == (*depth_m.shape, 3)
    assert image[1].min() == np.float32(0.8)  # the original stays


@pytest.mark.parametrize('lose', [lost_pixels, lost_patches])
@pytest.mark.parametrize('share', [0.1, 0.3])
def test_the_share_of_depth_is_lost(image, lose, share):
    _, depth_m, _ = lose(share)(*image, np.random.default_rng(0))
    assert (depth_m == 0).mean() == pytest.approx(share, abs=0.02)


def test_noise_has_its_deviation():
    rgb = np.full((100, 100, 3), 128, np.uint8)
    noisy, _, _ = noise(10.0)(rgb, np.ones((100, 100), np.float32), K, np.random.default_rng(0))
    assert (noisy.astype(float) - rgb).std() == pytest.approx(10, rel=0.03)


def test_grey_has_no_colour(image):
    rgb, _, _ = grey(*image, np.random.default_rng(0))
    assert (np.ptp(rgb, axis=2) == 0).all()


@pytest.mark.parametrize('degradation', [resized(0.5, 0.5), resized(0.8, 1.0), wide_angle(0.7)])
def test_a_point_stays_where_it_is_in_the_camera_frame(degradation):
    rgb, depth_m = np.zeros((480, 640, 3), np.uint8), np.full((480, 640), 0.8, np.float32)
    uv = np.array([431, 201])
    rgb[uv[1] - 6 : uv[1] + 7, uv[0] - 6 : uv[0] + 7] = 255
    seen, _, K_seen = degradation(rgb, depth_m, K, np.random.default_rng(3))
    v, u = np.nonzero(seen[..., 0] > 127)
    expected = project(K_seen, back_project(K, uv.astype(float), np.array(0.8)))
    np.testing.assert_allclose([u.mean(), v.mean()], expected, atol=0.5)
