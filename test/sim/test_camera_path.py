"""Cameras along an arc: smooth, looking at the middle, the same for the same seed."""

import json
from itertools import pairwise

import numpy as np
import pytest

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import inverse, project
from dense_descriptor_ros.sim.camera import PATH_DISTANCE_M, PATH_STEP_DEG, sample_intrinsics, sample_path
from dense_descriptor_ros.sim.generate import generate
from dense_descriptor_ros.sim.physics import settle
from dense_descriptor_ros.sim.scene import sample_scene
from dense_descriptor_ros.sim.settings import SceneSettings
from dense_descriptor_ros.sim.world import PATH_CENTRE_M, framed, framed_path

CENTRE = np.array([0.1, -0.05, 0.05])
SETTINGS = SceneSettings(
    views=7, renderer='tiny', height=60, width=80, mugs=(1, 2), distractors=(0, 1), cameras='path'
)


def eyes(path):
    return np.array([inverse(T)[:3, 3] for T in path])


def turns_deg(path):
    """Angle between neighbouring cameras' optical axes."""
    axes = np.array([T[2, :3] for T in path])
    return np.degrees(np.arccos((axes[1:] * axes[:-1]).sum(1)))


@pytest.mark.parametrize('seed', range(10))
def test_cameras_stand_on_a_level_circle_and_look_at_its_middle(seed):
    path = sample_path(np.random.default_rng(seed), CENTRE, 12)
    distances = np.linalg.norm(eyes(path) - CENTRE, axis=1)
    np.testing.assert_allclose(distances, distances[0])
    np.testing.assert_allclose(eyes(path)[:, 2], eyes(path)[0, 2])
    assert PATH_DISTANCE_M[0] <= distances[0] <= PATH_DISTANCE_M[1]
    K = sample_intrinsics(np.random.default_rng(seed), 480, 640)
    for T in path:
        np.testing.assert_allclose(project(K, T[:3, :3] @ CENTRE + T[:3, 3]), K[:2, 2], atol=1e-6)


@pytest.mark.parametrize('seed', range(10))
def test_neighbouring_views_are_a_few_degrees_apart_always_the_same_way(seed):
    path = sample_path(np.random.default_rng(seed), CENTRE, 12)
    turns = turns_deg(path)
    np.testing.assert_allclose(turns, turns[0], atol=1e-6)
    assert 0 < turns[0] <= PATH_STEP_DEG[1]
    offsets = eyes(path) - CENTRE
    steps = np.angle(
        (offsets[1:, 0] + 1j * offsets[1:, 1]) / (offsets[:-1, 0] + 1j * offsets[:-1, 1]), deg=True
    )
    np.testing.assert_allclose(steps, steps[0])
    assert PATH_STEP_DEG[0] <= abs(steps[0]) <= PATH_STEP_DEG[1]


def test_paths_go_either_way():
    firsts = [eyes(sample_path(np.random.default_rng(seed), np.zeros(3), 2)) for seed in range(20)]
    signs = {int(np.sign(np.cross(*positions)[2])) for positions in firsts}
    assert signs == {-1, 1}


def test_most_paths_keep_a_mug_in_every_image():
    whole = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene = settle(sample_scene(rng, (1, 2), (0, 2)))
        K = sample_intrinsics(rng, 480, 640)
        settings = SceneSettings(views=8, cameras='path')
        if scene.mugs:
            path = framed_path(rng, scene, K, settings)
            assert len(path) == 8
            whole += all(framed(T, scene, K, settings) for T in path)
    assert whole >= 6


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp('path')
    generate(out, scenes=2, workers=1, settings=SETTINGS)
    return out


def test_the_views_of_a_data_set_follow_the_path(made):
    for views in open_bop(made, 'train').scenes.values():
        assert len(views) == 7
        path = [view.T_camera_world for view in views]
        np.testing.assert_allclose(turns_deg(path), turns_deg(path)[0], atol=1e-3)
        distances = np.linalg.norm(eyes(path) - PATH_CENTRE_M, axis=1)
        np.testing.assert_allclose(distances, distances[0], atol=1e-4)


def test_neighbouring_images_are_more_alike_than_distant_ones(made):
    for views in open_bop(made, 'train').scenes.values():
        depths = [view.depth_m() for view in views]
        near = np.mean([np.abs(a - b).mean() for a, b in pairwise(depths)])
        far = np.abs(depths[0] - depths[-1]).mean()
        assert near < far


def test_the_same_seed_gives_the_same_files_and_another_others(made, tmp_path):
    generate(tmp_path / 'same', scenes=1, workers=1, settings=SETTINGS)
    other = SceneSettings(**{**vars(SETTINGS), 'seed': 1})
    generate(tmp_path / 'other', scenes=1, workers=1, settings=other)
    for name in ('scene_camera.json', 'rgb/000003.png'):
        first = (made / 'train' / '000000' / name).read_bytes()
        assert (tmp_path / 'same' / 'train' / '000000' / name).read_bytes() == first
        assert (tmp_path / 'other' / 'train' / '000000' / name).read_bytes() != first


def test_a_data_set_made_before_there_were_paths_goes_on_with_scattered_cameras(tmp_path):
    settings = SceneSettings(**{**vars(SETTINGS), 'cameras': 'scattered', 'views': 1})
    generate(tmp_path, scenes=1, workers=1, settings=settings)
    recorded = tmp_path / 'train' / 'settings.json'
    values = json.loads(recorded.read_text())
    del values['cameras']
    recorded.write_text(json.dumps(values))
    generate(tmp_path, scenes=2, workers=1, settings=settings)
    assert len(open_bop(tmp_path, 'train').scenes) == 2
    with pytest.raises(ConfigError, match="cameras was 'scattered', now 'path'"):
        generate(tmp_path, 2, 1, SceneSettings(**{**vars(settings), 'cameras': 'path'}))


def test_other_cameras_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"^cameras is 'orbit': expected one of \['scattered', 'path'\]"):
        SceneSettings(cameras='orbit')
