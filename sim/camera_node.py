"""A simulated RGB-D camera as a ROS 2 node: it circles scenes of mugs and publishes the true frames as well.

simulated_camera --ros-args -p seed:=3 -p rate_hz:=5.0
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.ros.conversions import DEPTH_DTYPES, array_to_image
from dense_descriptor_ros.ros.message_types import make_ros
from dense_descriptor_ros.ros.messages import affordance_frames
from dense_descriptor_ros.ros.node_settings import Applies, NodeSettings, setting
from dense_descriptor_ros.ros.parameters import declare, read
from dense_descriptor_ros.ros.run import run
from dense_descriptor_ros.sim.camera import look_at
from dense_descriptor_ros.sim.physics import settle
from dense_descriptor_ros.sim.render import Rendering, SceneRenderer
from dense_descriptor_ros.sim.scene import Scene, sample_scene
from dense_descriptor_ros.sim.true_frames import required_frames

FRAME_ID = 'camera_color_optical_frame'
FOCAL_PX_AT_640 = 600.0
MUGS = (1, 2)
DISTRACTORS = (2, 4)
MM = 1e-3


@dataclass(frozen=True)
class CameraSettings(NodeSettings):
    """The camera's parameters.

    Raises:
        ConfigError: a value is outside its range.
    """

    seed: int = setting(0, 'Seed of the first scene.', 0, 2**31 - 1, Applies.AT_START)
    rate_hz: float = setting(
        5.0, 'Images per second, where the machine can render them.', 0.1, 60.0, Applies.AT_START
    )
    width: int = setting(640, 'Width of the image, pixels.', 32, 4096, Applies.AT_START)
    height: int = setting(480, 'Height of the image, pixels.', 32, 4096, Applies.AT_START)
    depth_encoding: str = setting('16UC1', 'Depth as 16UC1 (mm) or 32FC1 (m).', applies=Applies.AT_START)
    views_per_scene: int = setting(
        0, 'Images of a scene before the next one; 0 keeps the first.', 0, 10**6, Applies.AT_START
    )
    orbit_views: int = setting(100, 'Images in one turn about the scene.', 1, 10**6, Applies.AT_START)
    replay_views: int = setting(
        0,
        'Renders so many images at the start and shows them over and over, for rates that no renderer '
        'reaches; 0 renders each image anew.',
        0,
        1000,
        Applies.AT_START,
    )
    renderer: str = setting('auto', 'PyBullet renderer: auto, egl or tiny.', applies=Applies.AT_START)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth_encoding not in DEPTH_DTYPES:
            known = sorted(DEPTH_DTYPES)
            raise ConfigError(f'depth_encoding is {self.depth_encoding!r}: expected one of {known}')


class SimulatedCamera(Node):
    """Publishes `image`, `depth`, `camera_info` and `~/true_frames` with one header, while somebody looks."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('camera', **node_options)
        declare(self, CameraSettings)
        self._settings = read(self, CameraSettings)
        self._category = load_category('mug')
        self._renderer = SceneRenderer(self._settings.renderer)
        self._K = intrinsics(self._settings.height, self._settings.width)
        self._view = 0
        self._scene = self._load_scene()
        reliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._image = self.create_publisher(Image, 'image', reliable)
        self._depth = self.create_publisher(Image, 'depth', reliable)
        self._camera_info = self.create_publisher(CameraInfo, 'camera_info', reliable)
        self._true_frames = self.create_publisher(AffordanceFrameArray, '~/true_frames', 10)
        self._recorded = [self._take_view() for _ in range(self._settings.replay_views)]
        self.create_timer(1 / self._settings.rate_hz, self._publish_view)

    def destroy_node(self) -> None:
        """Close the renderer as well."""
        self._renderer.close()
        super().destroy_node()

    def _load_scene(self) -> Scene:
        scene_number = self._view // self._settings.views_per_scene if self._settings.views_per_scene else 0
        seed = self._settings.seed + scene_number
        scene = settled_scene(np.random.default_rng(seed))
        self._renderer.load(scene)
        self.get_logger().info(f'scene {seed}: {len(scene.mugs)} mug(s) among {len(scene.objects)} objects')
        return scene

    def _publish_view(self) -> None:
        if not self._image.get_subscription_count():
            return
        if self._recorded:
            view = self._recorded[self._view % len(self._recorded)]
            self._view += 1
        else:
            view = self._take_view()
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=FRAME_ID)
        for publisher, message in zip(
            (self._camera_info, self._image, self._depth, self._true_frames), view, strict=True
        ):
            message.header = header
            publisher.publish(message)

    def _take_view(self) -> tuple[CameraInfo, Image, Image, AffordanceFrameArray]:
        """Messages of the next view, not yet stamped."""
        if self._view and self._settings.views_per_scene and self._view % self._settings.views_per_scene == 0:
            self._scene = self._load_scene()
        T_camera_world = orbit_pose(self._view / self._settings.orbit_views, mugs_centre(self._scene))
        height, width = self._settings.height, self._settings.width
        rendering = self._renderer.render(T_camera_world, self._K, height, width)
        frames = []
        if self._settings.replay_views or self._true_frames.get_subscription_count():
            frames = required_frames(self._scene, rendering, T_camera_world, self._K, self._category)
        self._view += 1
        header = Header()
        return (
            camera_info(header, self._K, height, width),
            array_to_image(make_ros, rendering.rgb, 'rgb8', header),
            depth_image(header, rendering, self._settings.depth_encoding),
            affordance_frames(make_ros, header, frames, 0.0),
        )


def settled_scene(rng: np.random.Generator) -> Scene:
    """A scene at rest with at least one mug on the table."""
    while True:
        scene = settle(sample_scene(rng, MUGS, DISTRACTORS))
        if scene.mugs:
            return scene


def intrinsics(height: int, width: int) -> np.ndarray:
    """K (3, 3) of a camera whose principal point is the middle of the image."""
    focal = FOCAL_PX_AT_640 * width / 640
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def mugs_centre(scene: Scene) -> np.ndarray:
    """Mean position (3,) of the mugs in the world."""
    return np.mean([scene.objects[mug].T_world_object[:3, 3] for mug in scene.mugs], axis=0)


def orbit_pose(turns: float, target: np.ndarray) -> np.ndarray:
    """T_camera_world (4, 4) after so many turns about a point (3,): rises, sinks and nears smoothly."""
    azimuth = 2 * np.pi * turns
    elevation = np.radians(40 + 15 * np.sin(2 * azimuth))
    distance_m = 0.75 + 0.15 * np.cos(3 * azimuth)
    horizontal_m, height_m = distance_m * np.cos(elevation), distance_m * np.sin(elevation)
    offset_m = np.array([horizontal_m * np.cos(azimuth), horizontal_m * np.sin(azimuth), height_m])
    return look_at(target + offset_m, target)


def camera_info(header: Header, K: np.ndarray, height: int, width: int) -> CameraInfo:
    """Calibration of an ideal pinhole camera."""
    P = np.hstack([K, np.zeros((3, 1))])
    return CameraInfo(
        header=header,
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=K.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=P.ravel().tolist(),
    )


def depth_image(header: Header, rendering: Rendering, encoding: str) -> Image:
    """Depth as millimetres (16UC1) or metres (32FC1), 0 where nothing is hit."""
    depth = rendering.depth_m if encoding == '32FC1' else np.rint(rendering.depth_m / MM)
    return array_to_image(make_ros, depth.astype(DEPTH_DTYPES[encoding]), encoding, header)


def main(args: list[str] | None = None) -> int:
    """Run the camera until it is told to stop; the exit status."""
    return run(SimulatedCamera, args=args)


if __name__ == '__main__':
    sys.exit(main())
