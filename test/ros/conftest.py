"""A perception node with a fake engine, and a camera to feed it, over real DDS in one process."""

import array
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.model_loading import LoadEngine
from dense_descriptor_ros.ros.node import PerceptionNode
from dense_descriptor_ros.runtime import Runtime

HEIGHT, WIDTH = 48, 64
OUTPUT_TYPES = {
    'acf_poses': AffordanceFrameArray,
    'descriptors': Image,
    'descriptors_rgb': Image,
    'overlay': Image,
    'poses': PoseArray,
    'markers': MarkerArray,
}


def true_frames() -> list[AffordanceFrame]:
    def frame(instance: int, part: str, score: float, second_axis: np.ndarray | None) -> AffordanceFrame:
        return AffordanceFrame(
            'mug',
            part,
            instance,
            score,
            np.array([0.1, 0.2, 0.5 + instance]),
            np.array([0.0, 0, 1]),
            second_axis,
        )

    return [
        frame(0, 'body', 0.9, np.array([1.0, 0, 0])),
        frame(0, 'handle', 0.6, None),
        frame(1, 'body', 0.7, None),
        frame(2, 'body', 0.3, None),
    ]


class FakeEngine:
    """Finds the same frames in every image; blocks or fails when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Event()
        self.error: Exception | None = None
        self.device_memory_bytes: int | None = None

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        self.calls.append((rgb, depth_m, K))
        self.started.set()
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        h, w = rgb.shape[0] // 4, rgb.shape[1] // 4
        descriptors = np.zeros((4, h, w), np.float32)
        descriptors[1] = 1
        descriptors[:, 0, 1] = [0, 0, 1, 0]
        return Prediction(true_frames(), descriptors, np.ones((h, w), np.float32), 0.25)


def stamp(time_s: float) -> Time:
    return Time(sec=int(time_s), nanosec=round(time_s % 1 * 1e9))


def image_message(pixels: np.ndarray, encoding: str, time_s: float = 1.0) -> Image:
    row_bytes = pixels.nbytes // pixels.shape[0]
    header = Header(stamp=stamp(time_s), frame_id='optical')
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=row_bytes,
        data=array.array('B', pixels.tobytes()),
    )


class Rig:
    """The node under test, a camera that feeds it and a listener, spun by the test itself.

    In a namespace of its own, so that no rig hears another one.
    """

    numbers = itertools.count()

    def __init__(self, load: LoadEngine | None = None, **parameters: Any) -> None:
        self.engine = FakeEngine()
        self.load_error: Exception | None = None
        self.loaded: list[tuple[Path | None, Runtime]] = []
        overrides = [self.parameter(name, value) for name, value in parameters.items()]
        self.namespace = f'/rig{next(self.numbers)}'
        self.node = PerceptionNode(load or self.load, namespace=self.namespace, parameter_overrides=overrides)
        self.peer = Node('peer', namespace=self.namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self.listeners: dict[str, Subscription] = {}
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.publishers = {
            name: self.peer.create_publisher(kind, name, 10)
            for name, kind in (('image', Image), ('depth', Image), ('camera_info', CameraInfo))
        }
        self.listen('/diagnostics', DiagnosticArray)
        self.time_s = 100.0

    @staticmethod
    def parameter(name: str, value: Any) -> rclpy.Parameter:
        return rclpy.Parameter(name, value=value)

    def load(self, path: Path | None, runtime: Runtime) -> FakeEngine:
        self.loaded.append((path, runtime))
        if self.load_error is not None:
            raise self.load_error
        return self.engine

    def listen(self, name: str, kind: type | None = None) -> None:
        """Subscribe to an output, or to any topic of a kind."""
        topic = name if kind else f'perception/{name}'
        self.listeners[name] = self.peer.create_subscription(
            kind or OUTPUT_TYPES[name], topic, self.received[name].append, QoSProfile(depth=10)
        )

    def start(self, *outputs: str) -> None:
        """Bring the node to active, with its topics matched at both ends."""
        for output in outputs:
            self.listen(output)
        self.node.start()
        self.match()
        self.until(
            lambda: all(
                publisher.get_subscription_count()
                for publisher in self.node.publishers
                if publisher.topic_name.split('/')[-1] in outputs
            )
        )

    def match(self) -> None:
        self.until(lambda: all(publisher.get_subscription_count() for publisher in self.publishers.values()))

    def until(self, done: Callable[[], Any], timeout_s: float = 10.0) -> None:
        """Spin until something is so."""
        end = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < end, f'not so within {timeout_s} s; drops: {self.drops}'
            self.executor.spin_once(timeout_sec=0.02)

    def diagnostics(self) -> list[DiagnosticStatus]:
        """What this node has said about itself."""
        statuses = [status for message in self.received['/diagnostics'] for status in message.status]
        return [status for status in statuses if status.name.startswith(self.namespace)]

    @property
    def drops(self) -> dict[Drop, int]:
        return dict(self.node.statistics._drops)

    def messages(self) -> dict[str, Any]:
        """A good frame, a tenth of a second after the last one."""
        self.time_s += 0.1
        rgb = np.full((HEIGHT, WIDTH, 3), (10, 20, 30), np.uint8)
        K = [50.0, 0, 32, 0, 50, 24, 0, 0, 1]
        info = CameraInfo(header=Header(stamp=stamp(self.time_s)), height=HEIGHT, width=WIDTH, k=K)
        return {
            'camera_info': info,
            'image': image_message(rgb, 'rgb8', self.time_s),
            'depth': image_message(np.full((HEIGHT, WIDTH), 1500, np.uint16), '16UC1', self.time_s),
        }

    def send(self, messages: dict[str, Any]) -> None:
        """Publish, each once the one before has arrived: topics have no order among each other."""
        for name, message in messages.items():
            count = self.count(name)
            self.publishers[name].publish(message)
            self.until(lambda name=name, count=count: self.count(name) > count)

    def count(self, name: str) -> int:
        return len(self.node.statistics._received.get(name, ()))

    def result(self, name: str = 'acf_poses') -> Any:
        """What comes out for a good frame."""
        count = len(self.received[name])
        self.send(self.messages())
        self.until(lambda: len(self.received[name]) > count)
        return self.received[name][-1]

    def close(self) -> None:
        self.engine.go.set()
        self.executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()


@pytest.fixture(scope='session', autouse=True)
def ros() -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture
def other_context() -> Iterator[rclpy.Context]:
    """A DDS participant of its own, as a node in another process has."""
    context = rclpy.Context()
    rclpy.init(context=context)  # no context manager with Jazzy
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture(scope='module')
def running() -> Iterator[Rig]:
    """An active node that a whole module shares: whatever one test sends, the next one finds it working."""
    rig = Rig()
    rig.start('acf_poses')
    yield rig
    rig.close()
