"""True frames of views: what is required, and where it projects."""

from dataclasses import replace

import numpy as np
import pytest

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import apply, project
from dense_descriptor_ros.sim.camera import look_at
from dense_descriptor_ros.sim.mug import Mug, build_mug, sample_mug
from dense_descriptor_ros.sim.raster import rasterise
from dense_descriptor_ros.sim.render import BACKGROUND, Rendering
from dense_descriptor_ros.sim.scene import Scene, sample_scene
from dense_descriptor_ros.sim.true_frames import required_frames

HEIGHT, WIDTH = 120, 160
K = np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]])


@pytest.fixture(scope='module')
def scene() -> Scene:
    """One upright mug whose object frame is the world's."""
    scene = sample_scene(np.random.default_rng(0), (1, 1), (0, 0))
    mug = build_mug(sample_mug(np.random.default_rng(1)))
    item = replace(scene.objects[0], mug=mug, mesh=mug.mesh, T_world_object=np.eye(4))
    return replace(scene, objects=(item,))


def view(scene: Scene, eye: tuple[float, float, float]) -> tuple[Rendering, np.ndarray]:
    """Rendering of the mug alone by the rasteriser, and T_camera_world."""
    T = look_at(np.array(eye), np.zeros(3))
    mesh = scene.objects[0].mesh
    depth = rasterise(apply(T, mesh.vertices), mesh.faces, K, HEIGHT, WIDTH)
    hit = np.isfinite(depth)
    instances = np.where(hit, 0, BACKGROUND).astype(np.int32)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return Rendering(rgb, np.where(hit, depth, 0).astype(np.float32), instances), T


def required(scene: Scene, rendering: Rendering, T: np.ndarray) -> dict[str, AffordanceFrame]:
    return {frame.part: frame for frame in required_frames(scene, rendering, T, K, load_category('mug'))}


def test_frames_are_those_of_the_mug_in_the_camera(scene: Scene) -> None:
    rendering, T = view(scene, (0.1, -0.4, 0.2))
    frames = required(scene, rendering, T)
    mug = scene.objects[0].mug
    assert isinstance(mug, Mug)
    assert list(frames) == ['body', 'handle', 'opening']
    for part, frame in frames.items():
        np.testing.assert_allclose(frame.origin_m, apply(T, mug.frames[part].origin_m))
        np.testing.assert_allclose(frame.axis, T[:3, :3] @ mug.frames[part].axis)
    np.testing.assert_allclose(frames['body'].second_axis, frames['handle'].axis)
    np.testing.assert_allclose(frames['handle'].second_axis, frames['body'].axis)
    u, v = project(K, frames['handle'].origin_m).round().astype(int)
    assert rendering.instances[v, u] == 0
    surface_m = rendering.depth_m[v, u]
    assert abs(surface_m - frames['handle'].origin_m[2]) < 0.02  # the bar is thinner than that


def test_hidden_handle_is_not_required_and_leaves_the_turn_open(scene: Scene) -> None:
    rendering, T = view(scene, (-0.45, 0, 0.05))
    frames = required(scene, rendering, T)
    assert list(frames) == ['body', 'opening']
    assert not frames['body'].orientation_complete and not frames['opening'].orientation_complete


@pytest.mark.parametrize(('share', 'is_required'), [(0.09, False), (0.12, True)])
def test_required_from_a_tenth_of_the_silhouette(scene: Scene, share: float, is_required: bool) -> None:
    rendering, T = view(scene, (0.1, -0.4, 0.2))
    v, u = np.nonzero(rendering.instances == 0)
    hidden = slice(round(share * len(v)), None)
    instances = rendering.instances.copy()
    instances[v[hidden], u[hidden]] = BACKGROUND
    frames = required(scene, replace(rendering, instances=instances), T)
    assert ('body' in frames) == is_required


def test_object_out_of_sight_is_not_required(scene: Scene) -> None:
    rendering, T = view(scene, (0.1, -0.4, 0.2))
    nothing = replace(rendering, instances=np.full_like(rendering.instances, BACKGROUND))
    assert required(scene, nothing, T) == {}
