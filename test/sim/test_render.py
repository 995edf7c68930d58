"""Rendered depth and masks against the numpy rasteriser, for each renderer that this machine has."""

import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.geometry import apply
from dense_descriptor_ros.sim.bullet import working_renderer
from dense_descriptor_ros.sim.camera import look_at
from dense_descriptor_ros.sim.raster import rasterise
from dense_descriptor_ros.sim.render import SceneRenderer
from dense_descriptor_ros.sim.scene import sample_scene

SIZE = (120, 160)
K = np.array([[150.0, 0, 77.0], [0, 152.0, 62.0], [0, 0, 1]])
T = look_at(np.array([0.4, 0.3, 0.5]), np.array([0.0, 0.0, 0.03]))


@pytest.fixture(scope='module', params=['tiny', 'egl'])
def renderer(request):
    if request.param == 'egl' and working_renderer('auto') != 'egl':
        pytest.skip('this machine has no EGL')
    renderer = SceneRenderer(request.param)
    yield renderer
    renderer.close()


@pytest.fixture(scope='module')
def scenes():
    return [sample_scene(np.random.default_rng(seed), (2, 2), (2, 2)) for seed in (1, 2)]


def test_depth_and_masks_agree_with_the_rasteriser(renderer, scenes):
    scene = scenes[0]
    renderer.load(scene)
    rendering = renderer.render(T, K, *SIZE)
    depths = []
    for item in scene.objects:
        positions, faces = item.mesh.welded_faces
        depths.append(rasterise(apply(T @ item.T_world_object, positions), faces, K, *SIZE))
    nearest = np.argmin(depths, axis=0)
    covered = np.isfinite(np.min(depths, axis=0))
    seen = rendering.instances >= 0
    assert seen.sum() > 500
    assert (seen != covered).mean() < 1e-3
    both = seen & covered
    assert (rendering.instances[both] == nearest[both]).mean() > 0.995
    error = np.abs(rendering.depth_m - np.min(depths, axis=0))[both & (rendering.instances == nearest)]
    assert np.percentile(error, 99) < 2e-4


def test_the_table_has_the_depth_of_its_plane(renderer, scenes):
    renderer.load(scenes[0])
    rendering = renderer.render(T, K, *SIZE)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(SIZE)], -1)
    expected = -(-T[:3, :3].T @ T[:3, 3])[2] / (rays @ T[:3, :3])[..., 2]
    table = (rendering.instances < 0) & (np.abs(rendering.depth_m - expected) < 0.01)
    assert table.mean() > 0.3
    np.testing.assert_allclose(rendering.depth_m[table], expected[table], atol=3e-4)


def test_an_image_does_not_depend_on_what_was_shown_before(renderer, scenes):
    images = []
    for scene in (scenes[0], scenes[1], scenes[0]):
        renderer.load(scene)
        images.append(renderer.render(T, K, *SIZE).rgb)
    np.testing.assert_array_equal(images[0], images[2])
    assert (images[0] != images[1]).any(-1).mean() > 0.5


def test_rendering_without_a_scene_says_what_to_do():
    renderer = SceneRenderer('tiny')
    with pytest.raises(InputError, match='load'):
        renderer.render(T, K, *SIZE)
    renderer.close()


def test_an_unknown_renderer_is_named():
    with pytest.raises(ConfigError, match='vulkan'):
        SceneRenderer('vulkan')
