"""Surface codes against closed forms on cylinders with a handle."""

from dataclasses import replace

import numpy as np
import pytest

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.decode import FoundObject
from dense_descriptor_ros.parts import PartEstimate
from dense_descriptor_ros.surface_code import (
    CODE_DIM,
    REGIONS,
    SurfaceSize,
    add_surface_codes,
    surface_code,
    surface_position,
    surface_regions,
)
from dense_descriptor_ros.votes import Votes

CATEGORY = load_category('mug')


def random_rotation(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def cylinder_mug(rng, radius, height, R, t, count=60, handle_presence=0.9):
    """Cells on wall, floor and handle of a mug: votes, parts, and region, angle and relative height."""
    region = rng.integers(0, 4, count)
    angle = np.where(region == 0, 0.0, rng.uniform(-np.pi, np.pi, count))
    level = np.where(region == 1, -0.9, rng.uniform(-0.9, 0.9, count))
    distance = np.select([region == 0, region == 1], [radius + 0.03, 0.5 * radius], radius)
    points = np.stack([distance * np.cos(angle), distance * np.sin(angle), level * height / 2], 1)
    side = np.select([region == 2, region == 1], [-1.0, 0.0], 1.0)
    normals = np.stack([side * np.cos(angle), side * np.sin(angle), (region == 1).astype(float)], 1)
    keypoints = np.array([[0, 0, 0], [radius + 0.03, 0, 0], [0, 0, height / 2]])
    axes = np.array([[0, 0, 1.0], [1, 0, 0], [0, 0, 1]])
    on_part = np.ones((count, 3))
    on_part[:, 1] = region == 0
    votes = Votes(
        point_m=points @ R.T + t,
        normal=normals @ R.T,
        weight=np.ones(count),
        keypoint_m=np.zeros((count, 3, 3)),
        spread_m=np.ones((count, 3)),
        axis=np.zeros((count, 3, 3)),
        on_part=on_part,
        cell=np.stack([np.arange(count) // 10, np.arange(count) % 10], 1),
    )
    presence = [1.0, handle_presence, 1.0]
    parts = [
        PartEstimate(R @ k + t, R @ a, 1.0, p) for k, a, p in zip(keypoints, axes, presence, strict=True)
    ]
    return votes, parts, region, angle, level


def test_codes_of_corresponding_points_agree_whatever_the_pose_and_size():
    codes = []
    for seed, (radius, height) in enumerate([(0.03, 0.07), (0.05, 0.12)]):
        R, t = random_rotation(np.random.default_rng(seed)), np.array([0.1, -0.05, 0.7 + seed])
        votes, parts, *_ = cylinder_mug(np.random.default_rng(5), radius, height, R, t)
        codes.append(surface_code(votes, parts, CATEGORY))
    np.testing.assert_allclose(codes[0], codes[1], atol=1e-6)


def test_a_code_tells_region_angle_and_height():
    rng = np.random.default_rng(0)
    votes, parts, region, angle, level = cylinder_mug(rng, 0.04, 0.1, np.eye(3), np.array([0, 0, 1.0]))
    code = surface_code(votes, parts, CATEGORY)
    np.testing.assert_array_equal(code[:, :4].argmax(1), region)
    wall = region >= 2
    np.testing.assert_allclose(code[wall, 4], np.cos(angle[wall]), atol=1e-9)
    np.testing.assert_allclose(code[wall, 5], np.sin(angle[wall]), atol=1e-9)
    np.testing.assert_allclose(code[region == 0, 4], 1, atol=1e-9)
    np.testing.assert_allclose(np.arctan2(code[:, 6], code[:, 7]), level * np.pi / 4, atol=1e-9)


def test_without_the_handle_in_sight_no_angle_is_made_up():
    rng = np.random.default_rng(0)
    votes, parts, *_ = cylinder_mug(rng, 0.04, 0.1, np.eye(3), np.ones(3), handle_presence=0.05)
    assert (surface_code(votes, parts, CATEGORY)[:, 4:6] == 0).all()


def test_left_and_right_of_the_handle_differ_by_the_sine_alone():
    size = SurfaceSize(0.05, 0.04, 0.04, 0.03)
    points = np.array([[0.0, 0.04, 0.01], [0.0, -0.04, 0.01]])
    left, right = surface_position(points, np.array([3, 3]), size)
    np.testing.assert_allclose(left * [1, -1, 1], right, atol=1e-12)


def test_the_radial_part_comes_before_the_other_regions():
    points, normals = np.array([[0.08, 0, 0]]), np.array([[0.0, 0, 1]])
    assert REGIONS[surface_regions(points, normals, np.array([True]))[0]] == 'radial'
    assert REGIONS[surface_regions(points, normals, np.array([False]))[0]] == 'flat'


@pytest.fixture
def scene():
    votes, parts, *_ = cylinder_mug(np.random.default_rng(1), 0.04, 0.1, np.eye(3), np.array([0, 0, 1.0]))
    learned = np.random.default_rng(2).normal(size=(5, 8, 12)).astype(np.float32)
    return learned / np.linalg.norm(learned, axis=0), votes, parts


def test_descriptors_have_unit_length_and_keep_what_was_learned(scene):
    learned, votes, parts = scene
    found = FoundObject(np.arange(0, 40), parts, [], np.zeros(0))
    descriptors = add_surface_codes(learned, votes, [found], CATEGORY)
    assert descriptors.shape == (5 + CODE_DIM, 8, 12)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=0), 1, atol=1e-6)
    kept = descriptors[:5] / np.linalg.norm(descriptors[:5], axis=0)
    np.testing.assert_allclose(kept, learned, atol=1e-6)
    coded = np.abs(descriptors[5:]).sum(0) > 0
    assert sorted(map(tuple, np.argwhere(coded))) == sorted(map(tuple, votes.cell[:40]))


def test_a_category_without_an_axis_of_revolution_keeps_its_descriptors(scene):
    learned, votes, parts = scene
    free = replace(
        CATEGORY,
        parts=tuple(replace(part, revolution='free', at_end=False) for part in CATEGORY.parts),
    )
    assert surface_code(votes, parts, free) is None
    found = FoundObject(np.arange(9), parts, [], np.zeros(0))
    assert add_surface_codes(learned, votes, [found], free) is learned
