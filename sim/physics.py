"""Drops a scene's objects on the table with PyBullet and returns where they come to rest."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from dense_descriptor_ros.geometry import rotation_to_quaternion, transform
from dense_descriptor_ros.sim.bullet import BulletClient, connect
from dense_descriptor_ros.sim.mesh import write_collision_obj
from dense_descriptor_ros.sim.scene import Scene, SceneObject

STEP_S = 1 / 240
LONGEST_S = 2.5
CALM_M_PER_S = 0.01
CALM_RAD_PER_S = 0.1
DENSITY_KG_PER_M3 = 500.0


def settle(scene: Scene) -> Scene:
    """The scene after its objects have come to rest; those that left the table are gone.

    Each call has a physics server of its own, so the result depends on nothing but the scene.
    """
    client = connect()
    try:
        with tempfile.TemporaryDirectory() as folder:
            table = client.createCollisionShape(client.GEOM_BOX, halfExtents=[*scene.room.table_half, 0.1])
            client.createMultiBody(0, table, basePosition=[0, 0, -0.1])
            bodies = [
                add_body(client, item, Path(folder) / f'{k}.obj') for k, item in enumerate(scene.objects)
            ]
        client.setGravity(0, 0, -9.81)
        client.setPhysicsEngineParameter(fixedTimeStep=STEP_S)
        for step in range(int(LONGEST_S / STEP_S)):
            client.stepSimulation()
            if step % 24 == 23 and calm(client, bodies):
                break
        poses = [pose(client, body) for body in bodies]
    finally:
        client.disconnect()
    moved = [replace(item, T_world_object=T) for item, T in zip(scene.objects, poses, strict=True)]
    return replace(scene, objects=tuple(item for item in moved if on_table(item, scene)))


def add_body(client: BulletClient, item: SceneObject, path: Path) -> int:
    """Put an object at its pose; its mass follows from the size of its box."""
    write_collision_obj(path, item.pieces)
    shape = client.createCollisionShape(client.GEOM_MESH, fileName=str(path))
    mass = DENSITY_KG_PER_M3 * float(np.prod(np.ptp(item.mesh.vertices, axis=0)))
    body = client.createMultiBody(mass, shape)
    T = item.T_world_object
    client.resetBasePositionAndOrientation(body, T[:3, 3], rotation_to_quaternion(T[:3, :3]))
    client.changeDynamics(
        body,
        -1,
        lateralFriction=0.7,
        rollingFriction=0.002,
        spinningFriction=0.005,
        restitution=0.05,
        linearDamping=0.2,
        angularDamping=0.5,
    )
    return body


def pose(client: BulletClient, body: int) -> np.ndarray:
    """T_world_object (4, 4)."""
    position, quaternion = client.getBasePositionAndOrientation(body)
    return transform(np.array(client.getMatrixFromQuaternion(quaternion)).reshape(3, 3), np.array(position))


def calm(client: BulletClient, bodies: list[int]) -> bool:
    """Whether every body is as good as at rest."""
    linear, angular = np.array([client.getBaseVelocity(body) for body in bodies]).transpose(1, 0, 2)
    return bool(
        np.linalg.norm(linear, axis=1).max() < CALM_M_PER_S
        and np.linalg.norm(angular, axis=1).max() < CALM_RAD_PER_S
    )


def on_table(item: SceneObject, scene: Scene) -> bool:
    """Whether an object has stayed on the table."""
    x, y, z = item.T_world_object[:3, 3]
    return bool(z > -0.005 and abs(x) < scene.room.table_half[0] and abs(y) < scene.room.table_half[1])
