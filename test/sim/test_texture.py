"""Textures."""

import numpy as np
import pytest

from dense_descriptor_ros.sim.texture import (
    PATTERNS,
    SIZE,
    noise,
    object_texture,
    surface_texture,
    vessel_texture,
)


@pytest.mark.parametrize('pattern', PATTERNS, ids=lambda pattern: pattern.__name__)
def test_patterns_fill_the_image_with_finite_colours(pattern):
    image = pattern(np.random.default_rng(0), (60, 90), np.array([200.0, 30.0, 90.0]))
    assert image.shape == (60, 90, 3)
    assert image.min() >= 0
    assert image.max() <= 256


@pytest.mark.parametrize('make', [vessel_texture, object_texture])
def test_the_same_seed_gives_the_same_texture(make):
    first, second, other = (make(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert first.shape == (*SIZE, 3)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_surfaces_are_square():
    assert surface_texture(np.random.default_rng(0)).shape == (512, 512, 3)


def test_noise_closes_round_an_object():
    field = noise(np.random.default_rng(0), 64, 128, cells=4)
    seam = np.abs(field[:, 0] - field[:, -1]).max()
    assert seam < 2 * np.abs(np.diff(field, axis=1)).max()
    assert 0 <= field.min() < field.max() <= 1
