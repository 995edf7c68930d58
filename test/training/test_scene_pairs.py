"""Matches through poses and depth, on views whose geometry is known by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_bop import BACKGROUND_MM, BASELINE_MM, CX, DEPTH_MM, F_PX, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.augmentation.crop_camera import draw_crop_camera
from dense_descriptor_ros.training.augmentation.virtual_camera import virtual_camera
from dense_descriptor_ros.training.items.scene_pairs import ScenePairs, find_points, surface_points
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.sources.bop import BopImages

SIZE = PairConfig(width=96, height=64, points=64)
MUG = load_category('mug')


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return open_bop(write_tiny_bop(tmp_path_factory.mktemp('bop')), 'test')


def scene_pairs(dataset, sampling='image'):
    return ScenePairs(BopImages(dataset, MUG), sampling, SIZE, AugmentationConfig(), seed=3)


def whole(view):
    """A camera that changes nothing."""
    return virtual_camera(view.K, np.array([79.5, 59.5]), 160, 120, 1.0, 0.0, False)


def test_a_point_moves_by_the_baseline_over_its_depth(dataset):
    first, second = dataset.scenes[0]
    uv = np.array([[100.0, 60.0], [92.0, 55.0], [130.0, 20.0]])  # on the mug, on the mug, on the wall
    p_world, known = surface_points(uv, whole(first), first, first.depth_m())
    assert known.all()
    z = np.array([DEPTH_MM, DEPTH_MM, BACKGROUND_MM]) / 1000
    np.testing.assert_allclose(p_world[:, 2], z, atol=1e-6)
    np.testing.assert_allclose(p_world[:, 0], (uv[:, 0] - CX) / F_PX * z, atol=1e-6)
    there, seen = find_points(p_world, whole(second), second, second.depth_m())
    assert seen.all()
    shift = [F_PX * BASELINE_MM / 1000 / depth for depth in z]
    np.testing.assert_allclose(uv[:, 0] - there[:, 0], shift, atol=1e-4)
    np.testing.assert_allclose(uv[:, 1], there[:, 1], atol=1e-4)


def test_what_is_hidden_beside_the_image_or_of_unknown_depth_is_no_match(dataset):
    first, second = dataset.scenes[0]
    # The wall, what the second view has passed, and the pixel without depth.
    uv = np.array([[90.0, 20.0], [3.0, 60.0], [0.0, 0.0]])
    p_world, known = surface_points(uv, whole(first), first, first.depth_m())
    assert known.tolist() == [True, True, False]
    # A point of the wall that the second view's mug, about its column 70, hides.
    p_world[0] = [(70 - CX) / F_PX * 1.2 + BASELINE_MM / 1000, 0, 1.2]
    _, seen = find_points(p_world, whole(second), second, second.depth_m())
    assert seen.tolist()[:2] == [False, False]


@pytest.mark.parametrize('seed', range(6))
def test_matches_hold_through_the_augmentation_of_either_view(dataset, seed):
    rng = np.random.default_rng(seed)
    first, second = dataset.scenes[0]
    cameras = [draw_crop_camera((120, 160), view.K, (64, 96), rng) for view in (first, second)]
    uv = rng.uniform(0, [95, 63], (200, 2))
    p_world, known = surface_points(uv, cameras[0], first, first.depth_m())
    there, seen = find_points(p_world, cameras[1], second, second.depth_m())
    good = known & seen
    assert good.sum() > 10
    # Back through the second camera by its own intrinsics and mirror: the virtual camera's geometry.
    rays = np.column_stack([there[good], np.ones(good.sum())]) @ np.linalg.inv(cameras[1].K).T
    p_camera = rays * p_world[good, 2:] @ cameras[1].M
    expected = p_world[good] - [BASELINE_MM / 1000, 0, 0]
    np.testing.assert_allclose(p_camera, expected, atol=1e-6)


def test_non_matches_lie_on_the_same_surfaces_in_metres(dataset):
    item = {key: value.numpy() for key, value in scene_pairs(dataset)[0].items()}
    z = item['p_object'][item['matched'], 2]
    assert item['matched'].sum() > 5
    assert np.isclose(z, 1.0, atol=1e-5).sum() + np.isclose(z, 1.2, atol=1e-5).sum() == len(z)


@pytest.mark.parametrize('sampling', ['clusters', 'image'])
def test_the_same_position_gives_the_same_item_and_another_another(dataset, sampling):
    data = scene_pairs(dataset, sampling)
    assert len(data) == 4
    first, again, other = data[1], data[1], data[1 + len(data)]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['rgb'], other['rgb'])
    assert not torch.allclose(first['K'][0], first['K'][1])


def test_scenes_without_poses_are_refused(dataset):
    scenes = {
        number: tuple(replace(view, T_camera_world=None) for view in views)
        for number, views in dataset.scenes.items()
    }
    with pytest.raises(DatasetError, match='no scene has two views with camera poses'):
        scene_pairs(replace(dataset, scenes=scenes))
