"""Colour and depth augmentation."""

import numpy as np
import pytest

from dense_descriptor_ros.training.augmentation.appearance import (
    AugmentationConfig,
    augment_colour,
    augment_depth,
    draw_recolouring,
)

PLAIN = AugmentationConfig(recolour=1, jitter=0, grey=0, blur=0, noise=0)


def test_a_scene_s_views_get_the_same_colours():
    rng = np.random.default_rng(0)
    recolouring = draw_recolouring(PLAIN, rng)
    rgb = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    first, second = (augment_colour(image, recolouring, PLAIN, rng) for image in (rgb, rgb[:, ::-1]))
    np.testing.assert_array_equal(first[:, ::-1], second)
    assert np.abs(first.astype(int) - rgb).mean() > 10


def test_equal_pixels_stay_equal_wherever_they_are():
    rng = np.random.default_rng(0)
    for _ in range(20):
        image = augment_colour(np.full((6, 6, 3), 90, np.uint8), draw_recolouring(PLAIN, rng), PLAIN, rng)
        assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0


def test_grey_images_have_equal_channels():
    config = AugmentationConfig(recolour=1, jitter=0, grey=1, blur=0, noise=0)
    rng = np.random.default_rng(0)
    image = augment_colour(
        rng.integers(0, 256, (8, 8, 3), np.uint8), draw_recolouring(config, rng), config, rng
    )
    assert (np.ptp(image, axis=2) == 0).all()


def test_strengths_of_0_leave_the_image():
    config = AugmentationConfig(recolour=0, jitter=0, grey=0, blur=0, noise=0, depth_holes=0)
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (8, 8, 3), np.uint8)
    same = augment_colour(rgb, draw_recolouring(config, rng), config, rng)
    assert np.abs(same.astype(int) - rgb).max() <= 1
    depth = rng.uniform(0.5, 1, (40, 40)).astype(np.float32)
    assert augment_depth(depth, config, rng) is depth


@pytest.mark.parametrize('seed', range(4))
def test_holes_only_take_depth_away(seed):
    depth = np.ones((40, 60), np.float32)
    holed = augment_depth(depth, AugmentationConfig(depth_holes=1), np.random.default_rng(seed))
    assert set(np.unique(holed)) == {0.0, 1.0}
