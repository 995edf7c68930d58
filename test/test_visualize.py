import numpy as np
import pytest

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.visualize import (
    AXIS_COLOURS,
    colour_projection,
    descriptors_to_rgb,
    draw_frames,
    side_by_side,
)

K = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])


def frame(origin_m, axis, second_axis=None):
    second = None if second_axis is None else np.array(second_axis, float)
    return AffordanceFrame('mug', 'body', 0, 0.9, np.array(origin_m, float), np.array(axis, float), second)


def test_axes_are_drawn_where_they_project():
    rgb = np.zeros((80, 100, 3), np.uint8)
    image = draw_frames(rgb, [frame([0, 0, 1], [1, 0, 0], [0, 1, 0])], K, axis_length_m=0.3)
    np.testing.assert_allclose(
        image[40, 68], AXIS_COLOURS[2], atol=40
    )  # +z of the part along the image's columns
    np.testing.assert_allclose(image[58, 50], AXIS_COLOURS[0], atol=40)  # +x along its rows
    np.testing.assert_array_equal(image[40, 50], [255, 255, 255])  # the keypoint
    assert not rgb.any()


def test_an_unknown_rotation_draws_only_the_axis():
    image = draw_frames(
        np.zeros((80, 100, 3), np.uint8), [frame([0, 0, 1], [0, 1, 0])], K, 0.3, colour=(9, 200, 9)
    )
    np.testing.assert_allclose(image[58, 50], (9, 200, 9), atol=30)
    assert not image[38:43, 60:].any()


@pytest.mark.parametrize('origin', [[0, 0, -1], [0, 0, 0], [1000, 0, 1], [np.nan, 0, 1]])
def test_frames_that_cannot_be_seen_are_left_out(origin):
    assert not draw_frames(np.zeros((80, 100, 3), np.uint8), [frame(origin, [0, 0, 1])], K).any()


def test_colours_depend_on_the_descriptor_alone():
    low = np.random.default_rng(0).standard_normal((16, 5, 6)).astype(np.float32)
    low /= np.linalg.norm(low, axis=0)
    np.testing.assert_array_equal(descriptors_to_rgb(low)[2:3, 3:4], descriptors_to_rgb(low[:, 2:3, 3:4]))


@pytest.mark.parametrize('dimension', [1, 2, 3, 32])
def test_colour_projection_is_orthonormal(dimension):
    P = colour_projection(dimension)
    product = P.T @ P if dimension >= 3 else P @ P.T
    np.testing.assert_allclose(product, np.eye(min(dimension, 3)), atol=1e-6)


def test_zero_and_unknown_descriptors_are_grey():
    low = np.zeros((8, 1, 2), np.float32)
    low[:, 0, 1] = np.nan
    np.testing.assert_array_equal(descriptors_to_rgb(low), np.full((1, 2, 3), 128))


def test_side_by_side_scales_to_the_first_height():
    row = side_by_side([np.zeros((20, 30, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)], gap_px=4)
    assert row.shape == (20, 30 + 4 + 20, 3)
    assert (row[:, 30:34] == 255).all()


def test_errors():
    with pytest.raises(InputError, match='uint8 RGB'):
        draw_frames(np.zeros((4, 4), np.uint8), [], K)
    with pytest.raises(InputError, match=r'\(D, h, w\)'):
        descriptors_to_rgb(np.zeros((4, 4)))
    with pytest.raises(InputError, match='no images'):
        side_by_side([])
