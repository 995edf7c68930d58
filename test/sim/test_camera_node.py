"""The simulated camera: what it publishes and where it stands."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import inverse, project
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.ros.conversions import camera_matrix, depth_to_metres, rgbd_frame
from dense_descriptor_ros.sim.camera_node import (
    CameraSettings,
    SimulatedCamera,
    camera_info,
    depth_image,
    intrinsics,
    orbit_pose,
)
from dense_descriptor_ros.sim.render import Rendering

HEIGHT, WIDTH = 48, 64


def test_orbit_looks_at_its_target_from_above() -> None:
    target = np.array([0.1, -0.2, 0.05])
    K = intrinsics(HEIGHT, WIDTH)
    for turns in np.linspace(0, 1, 13):
        T = orbit_pose(turns, target)
        np.testing.assert_allclose(project(K, T[:3, :3] @ target + T[:3, 3]), [31.5, 23.5], atol=1e-9)
        eye = inverse(T)[:3, 3] - target
        assert 0.6 - 1e-9 <= np.linalg.norm(eye) <= 0.9 + 1e-9
        assert 25 - 1e-6 <= np.degrees(np.arcsin(eye[2] / np.linalg.norm(eye))) <= 55 + 1e-6


def test_a_turn_ends_where_it_began() -> None:
    np.testing.assert_allclose(orbit_pose(0.0, np.zeros(3)), orbit_pose(1.0, np.zeros(3)), atol=1e-12)


def test_calibration_survives_the_message() -> None:
    K = intrinsics(HEIGHT, WIDTH)
    np.testing.assert_array_equal(camera_matrix(camera_info(Header(), K, HEIGHT, WIDTH), WIDTH, HEIGHT), K)


@pytest.mark.parametrize(('encoding', 'tolerance_m'), [('16UC1', 0.0005), ('32FC1', 0.0)])
def test_depth_survives_the_message(encoding: str, tolerance_m: float) -> None:
    depth_m = np.array([[0.0, 0.7654321, 1.2]], np.float32)
    rendering = Rendering(np.zeros((1, 3, 3), np.uint8), depth_m, np.zeros((1, 3), np.int32))
    read = depth_to_metres(depth_image(Header(), rendering, encoding))
    np.testing.assert_allclose(read, depth_m, atol=tolerance_m + 1e-7)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match='depth_encoding'):
        CameraSettings(depth_encoding='8UC1')
    with pytest.raises(ConfigError, match='rate_hz is'):
        CameraSettings(rate_hz=0.0)


@pytest.fixture
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    rclpy.init(context=context)  # no context manager with Jazzy
    yield context
    rclpy.try_shutdown(context=context)


def test_images_and_truth_share_a_header(context: rclpy.Context) -> None:
    values = {'width': WIDTH, 'height': HEIGHT, 'rate_hz': 20.0, 'views_per_scene': 1, 'renderer': 'tiny'}
    overrides = [rclpy.Parameter(name, value=value) for name, value in values.items()]
    camera = SimulatedCamera(context=context, namespace='/camera_test', parameter_overrides=overrides)
    peer = Node('peer', context=context, namespace='/camera_test')
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(camera)
    executor.add_node(peer)
    received: dict[str, dict[int, Any]] = {}
    topics = {
        'image': Image,
        'depth': Image,
        'camera_info': CameraInfo,
        'camera/true_frames': AffordanceFrameArray,
    }

    def store(topic: str, message: Any) -> None:
        stamp = message.header.stamp
        received.setdefault(topic, {})[stamp.sec * 10**9 + stamp.nanosec] = message

    for topic, kind in topics.items():
        peer.create_subscription(kind, topic, lambda message, topic=topic: store(topic, message), 10)
    for _ in range(400):
        common = set.intersection(*(set(received.get(topic, {})) for topic in topics))
        if len(common) >= 2:  # the second is another scene
            break
        executor.spin_once(timeout_sec=0.05)
    assert any(received['camera/true_frames'][stamp].frames for stamp in common)
    for stamp in common:
        frame = rgbd_frame(*(received[topic][stamp] for topic in ('image', 'depth', 'camera_info')))
        assert frame.header.frame_id == 'camera_color_optical_frame'
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3) and frame.rgb.std() > 5
        truth = received['camera/true_frames'][stamp]
        assert truth.header == frame.header
        assert all(f.score == 1 and 0.2 < f.pose.position.z < 2 for f in truth.frames)
    executor.shutdown()
    camera.destroy_node()
    peer.destroy_node()
    assert len(common) >= 2
