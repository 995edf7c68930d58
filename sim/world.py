"""Draws settled scenes and camera views in which something of the category is seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import apply, project
from dense_descriptor_ros.sim.camera import sample_camera, sample_intrinsics, sample_path
from dense_descriptor_ros.sim.physics import settle
from dense_descriptor_ros.sim.render import Rendering, SceneRenderer
from dense_descriptor_ros.sim.scene import Scene, sample_scene
from dense_descriptor_ros.sim.settings import SPLITS, SceneSettings

CLEARANCE_M = 0.28
"""Least distance from the camera to an object's origin."""
LEAST_VISIBLE = 5e-4
"""Part of the image that the best visible mug of a view covers at least."""
TRIES = 30
PATH_CENTRE_M = np.array([0.0, 0.0, 0.05])
"""What paths go round: the middle of the table, at about the height of the objects' middles."""


@dataclass(frozen=True)
class SceneView:
    """A rendering and the camera that took it."""

    rendering: Rendering
    T_camera_world: np.ndarray
    """(4, 4)"""
    K: np.ndarray
    """(3, 3) pixels."""

    def largest_visible(self, scene: Scene) -> int:
        """Pixels of the mug that is seen best."""
        return max(int((self.rendering.instances == index).sum()) for index in scene.mugs)


def scene_generator(settings: SceneSettings, scene_id: int) -> np.random.Generator:
    """The random numbers of one scene; they depend on nothing else."""
    return np.random.default_rng([settings.seed, SPLITS.index(settings.split), scene_id])


def build_scene(rng: np.random.Generator, settings: SceneSettings) -> Scene:
    """A settled scene with at least one mug on the table."""
    for _ in range(TRIES):
        scene = settle(sample_scene(rng, settings.mugs, settings.distractors, settings.without))
        if scene.mugs:
            return scene
    raise ConfigError(f'no mug stayed on the table in {TRIES} scenes with mugs={list(settings.mugs)}')


def render_views(
    rng: np.random.Generator, renderer: SceneRenderer, scene: Scene, settings: SceneSettings
) -> Iterator[SceneView]:
    """`settings.views` images of the scene with the same intrinsics, a mug in each.

    Along a path other objects may hide the mugs for a while.
    """
    renderer.load(scene)
    K = sample_intrinsics(rng, settings.height, settings.width)
    if settings.cameras == 'path':
        for T in framed_path(rng, scene, K, settings):
            yield SceneView(renderer.render(T, K, settings.height, settings.width), T, K)
        return
    for _ in range(settings.views):
        yield visible_view(rng, renderer, scene, K, settings)


def visible_view(
    rng: np.random.Generator, renderer: SceneRenderer, scene: Scene, K: np.ndarray, settings: SceneSettings
) -> SceneView:
    """Image from a random camera that shows a mug; the best of TRIES where none does."""
    least = LEAST_VISIBLE * settings.height * settings.width
    views: list[SceneView] = []
    for _ in range(TRIES):
        T = framed_camera(rng, scene, K, settings)
        views.append(SceneView(renderer.render(T, K, settings.height, settings.width), T, K))
        if views[-1].largest_visible(scene) >= least:
            break
    return max(views, key=lambda view: view.largest_visible(scene))


def framed_camera(
    rng: np.random.Generator, scene: Scene, K: np.ndarray, settings: SceneSettings
) -> np.ndarray:
    """T_camera_world (4, 4) of a camera in no object's way, with some mug's centre in its image."""
    centres = np.array([item.T_world_object[:3, 3] for item in scene.objects])
    mugs = centres[scene.mugs]
    for _ in range(TRIES):
        T = sample_camera(rng, (mugs[rng.integers(len(mugs))] + centres.mean(0)) / 2)
        if framed(T, scene, K, settings):
            break
    return T


def framed_path(
    rng: np.random.Generator, scene: Scene, K: np.ndarray, settings: SceneSettings
) -> list[np.ndarray]:
    """Cameras along a path, each framed; of TRIES paths the one with the most framed views."""
    paths: list[list[np.ndarray]] = []
    counts: list[int] = []
    while len(paths) < TRIES and settings.views not in counts:
        paths.append(sample_path(rng, PATH_CENTRE_M, settings.views))
        counts.append(sum(framed(T, scene, K, settings) for T in paths[-1]))
    return paths[int(np.argmax(counts))]


def framed(T_camera_world: np.ndarray, scene: Scene, K: np.ndarray, settings: SceneSettings) -> bool:
    """Whether some mug's centre is in the image and no object in the camera's way."""
    p_camera = apply(T_camera_world, np.array([item.T_world_object[:3, 3] for item in scene.objects]))
    uv = project(K, p_camera[scene.mugs])
    seen = ((uv >= 0) & (uv < [settings.width, settings.height])).all(1).any()
    return bool(seen and np.linalg.norm(p_camera, axis=1).min() > CLEARANCE_M)
