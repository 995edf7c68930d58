"""Renders a settled scene with PyBullet: colour, depth and instance masks from any camera."""

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.geometry import rotation_to_quaternion
from dense_descriptor_ros.sim.bullet import connect_renderer, silenced
from dense_descriptor_ros.sim.mesh import Mesh, box_mesh, merge, write_obj
from dense_descriptor_ros.sim.scene import Room, Scene

NEAR_M = 0.15
"""No nearer, since EGL's depth buffer has 16 bits in software."""
FAR_M = 6.0
BACKGROUND = -1
TINY_SHIFT_PX = np.array([[0, 0, -0.5], [0, 0, 0.5], [0, 0, 0]])
"""PyBullet's software renderer samples at pixels' corners, not at their centres."""
OPENGL_FROM_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])
LOADS_PER_SERVER = 24
"""A server keeps the textures of every scene it has held (15 MB each) until it ends."""
WARM_UPS = 2
"""The EGL renderer's first two scenes come out with other shadows than the same scenes later on."""


@dataclass(frozen=True)
class Rendering:
    """One image of a scene."""

    rgb: np.ndarray
    """(H, W, 3) uint8."""
    depth_m: np.ndarray
    """(H, W) float32 along the optical axis, exact; 0 where nothing is hit."""
    instances: np.ndarray
    """(H, W) int32 index into `scene.objects`, -1 elsewhere."""


class SceneRenderer:
    """Holds one scene at a time in a PyBullet server; usable for any number of scenes and views.

        renderer = SceneRenderer('auto')
        renderer.load(scene)
        rendering = renderer.render(T_camera_world, K, height=480, width=640)
        renderer.close()

    The pose of object i in that camera is `T_camera_world @ scene.objects[i].T_world_object`; for a mug,
    `scene.objects[i].mug.frames` holds its affordance frames in the object frame, and `scene.mugs` lists the
    mugs among the objects. `world.build_scene(rng, settings)` gives a settled scene.
    """

    _names = itertools.count()

    def __init__(self, renderer: str = 'auto') -> None:
        self._name = renderer
        self._client, self._renderer = connect_renderer(renderer)
        self._folder = tempfile.TemporaryDirectory(prefix='scene_')
        self._bodies: list[int] = []
        self._scene: Scene | None = None
        self._loads = 0

    def load(self, scene: Scene) -> None:
        """Replace the loaded scene."""
        self._scene = scene
        if self._loads == LOADS_PER_SERVER:
            self._disconnect()
            self._client, self._renderer = connect_renderer(self._name)
            self._loads = 0
        if self._loads == 0:
            for _ in range(WARM_UPS):
                self._fill(scene)
                self.render(np.eye(4), np.diag([50.0, 50.0, 1.0]), 48, 64)
        self._fill(scene)
        self._loads += 1

    def _fill(self, scene: Scene) -> None:
        self._client.resetSimulation()
        self._client.setPhysicsEngineParameter(enableFileCaching=0)
        for mesh, texture in room_surfaces(scene.room):
            self._add(mesh, texture, 0.0, np.eye(4))
        self._bodies = [self._add(o.mesh, o.texture, o.shine, o.T_world_object) for o in scene.objects]

    def _add(self, mesh: Mesh, texture: np.ndarray, shine: float, T_world_object: np.ndarray) -> int:
        """Add a visual body. Its files get new names, since PyBullet keeps meshes and textures by name."""
        stem = Path(self._folder.name) / f'{next(self._names):08d}'
        files = [stem.with_suffix(suffix) for suffix in ('.bmp', '.mtl', '.obj')]
        write_image(files[0], texture)
        files[1].write_text(f'newmtl surface\nKd 1 1 1\nmap_Kd {files[0].name}\n')
        write_obj(files[2], mesh, f'mtllib {files[1].name}\nusemtl surface\n')
        client = self._client
        shape = client.createVisualShape(client.GEOM_MESH, fileName=str(files[2]), specularColor=[shine] * 3)
        body = client.createMultiBody(0, -1, shape)
        quaternion = rotation_to_quaternion(T_world_object[:3, :3])
        client.resetBasePositionAndOrientation(body, T_world_object[:3, 3], quaternion)
        for path in files:
            path.unlink()
        return body

    def render(self, T_camera_world: np.ndarray, K: np.ndarray, height: int, width: int) -> Rendering:
        """Image of the loaded scene by a camera at `T_camera_world` (4, 4) with intrinsics K (3, 3) px."""
        if self._scene is None:
            raise InputError('no scene is loaded: call load(scene) before render')
        light = self._scene.light
        if self._renderer == self._client.ER_TINY_RENDERER:
            K = K + TINY_SHIFT_PX
        with silenced():
            _, _, rgba, buffer, labels = self._client.getCameraImage(
                width,
                height,
                renderer=self._renderer,
                shadow=1,
                viewMatrix=(OPENGL_FROM_OPTICAL @ T_camera_world).T.ravel().tolist(),
                projectionMatrix=projection_matrix(K, height, width).T.ravel().tolist(),
                lightDirection=light.direction.tolist(),
                lightColor=light.colour.tolist(),
                lightDistance=3.0,
                lightAmbientCoeff=light.ambient,
                lightDiffuseCoeff=light.diffuse,
                lightSpecularCoeff=light.specular,
            )
        buffer = np.reshape(buffer, (height, width)).astype(np.float64)
        depth = FAR_M * NEAR_M / (FAR_M - (FAR_M - NEAR_M) * buffer)
        depth[buffer >= 1] = 0
        labels = np.reshape(labels, (height, width))
        instances = np.full(labels.max() + 2, BACKGROUND, np.int32)
        known = [b for b in self._bodies if b <= labels.max()]
        instances[known] = np.arange(len(known))
        rgb = np.reshape(rgba, (height, width, 4))[..., :3].astype(np.uint8)
        return Rendering(rgb, depth.astype(np.float32), instances[labels])

    def close(self) -> None:
        """Disconnect and remove the temporary files."""
        self._disconnect()
        self._folder.cleanup()

    def _disconnect(self) -> None:
        with silenced():
            self._client.disconnect()


def projection_matrix(K: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenGL projection (4, 4) of a pinhole camera whose pixel centres are at integers."""
    return np.array(
        [
            [2 * K[0, 0] / width, 0, 1 - 2 * (K[0, 2] + 0.5) / width, 0],
            [0, 2 * K[1, 1] / height, 2 * (K[1, 2] + 0.5) / height - 1, 0],
            [0, 0, -(FAR_M + NEAR_M) / (FAR_M - NEAR_M), -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)],
            [0, 0, -1, 0],
        ]
    )


def room_surfaces(room: Room) -> list[tuple[Mesh, np.ndarray]]:
    """Meshes of table, floor and walls with their textures."""
    x, y = room.table_half
    table = box_mesh(np.array([-x, -y, -0.03]), np.array([x, y, 0.0]), room.table_repeat_m)
    far, floor = room.wall_distance_m, room.floor_z_m
    ground = box_mesh(np.array([-4.0, -4.0, floor - 0.05]), np.array([4.0, 4.0, floor]), 1.0)
    walls = merge(
        *(
            box_mesh(np.minimum(low, low + size), np.maximum(low, low + size), 1.5)
            for low, size in (
                (np.array([-4.0, far, floor]), np.array([8.0, 0.05, 4.0])),
                (np.array([-4.0, -far, floor]), np.array([8.0, -0.05, 4.0])),
                (np.array([far, -4.0, floor]), np.array([0.05, 8.0, 4.0])),
                (np.array([-far, -4.0, floor]), np.array([-0.05, 8.0, 4.0])),
            )
        )
    )
    return [(table, room.table_texture), (ground, room.floor_texture), (walls, room.wall_texture)]
