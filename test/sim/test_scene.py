"""Scenes, physics and cameras without rendering."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from dense_descriptor_ros.geometry import apply, project
from dense_descriptor_ros.sim.camera import look_at, sample_intrinsics
from dense_descriptor_ros.sim.physics import settle
from dense_descriptor_ros.sim.scene import rotation_about, sample_scene


@pytest.fixture(scope='module')
def dropped():
    return sample_scene(np.random.default_rng(3), (2, 3), (3, 5))


@pytest.fixture(scope='module')
def settled(dropped):
    return settle(dropped)


def test_the_counts_are_in_the_ranges(dropped):
    assert 2 <= len(dropped.mugs) <= 3
    assert 3 <= len(dropped.objects) - len(dropped.mugs) <= 5


def test_objects_start_apart_though_close_together():
    gaps_m = []
    for seed in range(30):
        hulls = []
        for item in sample_scene(np.random.default_rng(seed), (1, 4), (2, 8)).objects:
            points = apply(item.T_world_object, item.mesh.vertices)
            if points[:, 2].min() < 0.005:  # else it found no place and starts above the others
                hulls.append(points[ConvexHull(points[:, :2]).vertices, :2])
        gaps_m += [gap_m(first, second) for first, second in combinations(hulls, 2)]
    assert min(gaps_m) > -1e-4
    assert sum(gap < 0.02 for gap in gaps_m) > 50


def test_some_objects_are_dropped_on_others():
    starts_m = [
        apply(item.T_world_object, item.mesh.vertices)[:, 2].min()
        for seed in range(20)
        for item in sample_scene(np.random.default_rng(seed), (1, 2), (1, 3)).objects
    ]
    assert 0.03 < np.mean(np.array(starts_m) > 0.1) < 0.4


def gap_m(first, second):
    """Widest gap between two convex polygons along the normal of any side; negative where they overlap."""
    sides = np.concatenate([np.roll(polygon, -1, 0) - polygon for polygon in (first, second)])
    normals = np.stack([sides[:, 1], -sides[:, 0]]) / np.linalg.norm(sides, axis=1)
    a, b = first @ normals, second @ normals
    return np.maximum(b.min(0) - a.max(0), a.min(0) - b.max(0)).max()


def test_objects_come_to_rest_on_the_table(settled):
    for item in settled.objects:
        lowest = apply(item.T_world_object, item.mesh.vertices)[:, 2].min()
        assert lowest > -0.003, item.kind


def test_at_least_one_object_touches_the_table(settled):
    lowest = min(apply(item.T_world_object, item.mesh.vertices)[:, 2].min() for item in settled.objects)
    assert lowest < 0.003


def test_dropping_the_same_scene_twice_gives_the_same_poses(dropped, settled):
    for first, second in zip(settled.objects, settle(dropped).objects, strict=True):
        np.testing.assert_array_equal(first.T_world_object, second.T_world_object)


def test_the_camera_looks_at_its_target_from_where_it_stands():
    eye, target = np.array([0.5, -0.3, 0.4]), np.array([0.1, 0.05, 0.02])
    T = look_at(eye, target, roll=0.2)
    K = sample_intrinsics(np.random.default_rng(0), 480, 640)
    np.testing.assert_allclose(apply(T, eye), 0, atol=1e-12)
    np.testing.assert_allclose(project(K, apply(T, target)), K[:2, 2], atol=1e-9)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1)


def test_without_roll_up_in_the_world_is_up_in_the_image():
    T = look_at(np.array([1.0, 0, 0.5]), np.zeros(3))
    above = apply(T, np.array([0, 0, 0.1]))
    assert above[1] < 0
    assert above[0] == pytest.approx(0)


def test_rotation_about_z_by_a_right_angle():
    R = rotation_about(np.array([0, 0, 1.0]), np.pi / 2)
    np.testing.assert_allclose(R @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_variety_can_be_left_out():
    without = ('look_alikes', 'patterns', 'poses', 'shapes')
    objects = sample_scene(np.random.default_rng(0), (4, 4), (8, 8), without).objects
    assert not {'cup', 'jug', 'kettle'} & {item.kind for item in objects}
    for item in objects:
        np.testing.assert_allclose(item.T_world_object[2, :3], [0, 0, 1], atol=1e-9)
        hues = item.texture / item.texture.sum(-1, keepdims=True).clip(1)
        assert hues.std((0, 1)).max() < 0.02
    shapes = [item.mug.shape for item in objects if item.mug]
    assert {(shape.body.profile, shape.handle.kind) for shape in shapes} == {('cylinder', 'c')}
