"""Recordings of a small camera that sees one colour at one depth, and an engine for them, without ROS."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rosbags import rosbag1, rosbag2
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Nodetype
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from dense_descriptor_ros.bag_messages import make_bag, message_types, serialise
from dense_descriptor_ros.frames import AffordanceFrame, Prediction

HEIGHT, WIDTH = 48, 64
IMAGE, DEPTH, CAMERA_INFO = '/camera/color/image_raw', '/camera/depth/image', '/camera/color/camera_info'
START_NS, PERIOD_NS, TRANSPORT_NS, MS = 100 * 10**9, 10**8, 5 * 10**6, 10**6
KINDS = ('sqlite3 folder', 'mcap folder', '.db3 file', '.mcap file', 'ROS 1')


class FakeEngine:
    """Finds a mug as far to the right as the image is red."""

    def __init__(self) -> None:
        self.calls: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.error: Exception | None = None

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        self.calls.append((rgb, depth_m, K))
        if self.error is not None:
            raise self.error
        origin_m, axis = np.array([rgb[0, 0, 0] / 1000, -0.2, 0.8]), np.array([0.0, 0, 1])
        found = [
            AffordanceFrame('mug', 'body', 0, 0.9, origin_m, axis, np.array([0.0, 1, 0])),
            AffordanceFrame('mug', 'handle', 0, 0.6, origin_m, axis),
            AffordanceFrame('mug', 'body', 1, 0.4, origin_m + 0.3, axis),
        ]
        descriptors = np.zeros((4, 12, 16), np.float32)
        descriptors[1] = 1
        return Prediction(found, descriptors, np.ones((12, 16), np.float32), 0.25)


class Entry(NamedTuple):
    """One recorded message."""

    topic: str
    time_ns: int
    message: Any


def header(stamp_ns: int) -> Any:
    stamp = make_bag('builtin_interfaces/msg/Time', sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return make_bag('std_msgs/msg/Header', stamp=stamp, frame_id='optical')


def image_message(pixels: np.ndarray, encoding: str, stamp_ns: int) -> Any:
    return make_bag(
        'sensor_msgs/msg/Image',
        header=header(stamp_ns),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels.nbytes // pixels.shape[0],
        data=np.frombuffer(pixels.tobytes(), np.uint8),
    )


def frame(number: int) -> list[Entry]:
    """The calibration, image and depth of one moment; the image's red is 10 more from image to image."""
    stamp_ns = START_NS + number * PERIOD_NS
    rgb = np.full((HEIGHT, WIDTH, 3), (10 * number, 20, 30), np.uint8)
    depth = np.full((HEIGHT, WIDTH), 1500, np.uint16)
    k = [50.0, 0, 32, 0, 50, 24, 0, 0, 1]
    info = make_bag('sensor_msgs/msg/CameraInfo', header=header(stamp_ns), height=HEIGHT, width=WIDTH, k=k)
    recorded_ns = stamp_ns + TRANSPORT_NS
    return [
        Entry(CAMERA_INFO, recorded_ns, info),
        Entry(IMAGE, recorded_ns + MS, image_message(rgb, 'rgb8', stamp_ns)),
        Entry(DEPTH, recorded_ns + 2 * MS, image_message(depth, '16UC1', stamp_ns)),
    ]


def frames(count: int) -> list[Entry]:
    return [entry for number in range(count) for entry in frame(number)]


def spoil(number: int, topic: str, **fields: Any) -> list[Entry]:
    """A frame with other values in one of its messages."""
    entries = frame(number)
    for entry in entries:
        if entry.topic == topic:
            for name, value in fields.items():
                setattr(entry.message, name, value)
    return entries


def write_bag(path: Path, entries: list[Entry], kind: str = '.mcap file') -> Path:
    """The recording's file or folder, of a kind of KINDS."""
    if kind == 'ROS 1':
        return write_ros1(path.with_suffix('.bag'), entries)
    plugin = StoragePlugin.MCAP if 'mcap' in kind else StoragePlugin.SQLITE3
    with rosbag2.Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {
            topic: writer.add_connection(topic, type_name, typestore=message_types())
            for topic, type_name in {entry.topic: entry.message.__msgtype__ for entry in entries}.items()
        }
        for topic, time_ns, message in entries:
            writer.write(connections[topic], time_ns, serialise(message, message.__msgtype__))
    return path if 'folder' in kind else next(file for file in path.iterdir() if file.suffix != '.yaml')


def write_ros1(path: Path, entries: list[Entry]) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    with rosbag1.Writer(path) as writer:
        connections = {
            topic: writer.add_connection(topic, type_name, typestore=store)
            for topic, type_name in {entry.topic: entry.message.__msgtype__ for entry in entries}.items()
        }
        for topic, time_ns, message in entries:
            type_name = message.__msgtype__
            raw = store.serialize_ros1(as_ros1(message, type_name, store), type_name)
            writer.write(connections[topic], time_ns, raw)
    return path


def as_ros1(message: Any, type_name: str, store: Typestore) -> Any:
    """A message as ROS 1 has it: headers are numbered, matrices have capital names."""
    values: dict[str, Any] = {}
    for name, (node, what) in store.fielddefs[type_name][1]:
        value = 7 if name == 'seq' else getattr(message, name if hasattr(message, name) else name.lower())
        values[name] = as_ros1(value, what, store) if node == Nodetype.NAME else value
    return store.types[type_name](**values)


def read_bag(path: Path) -> list[Entry]:
    """Every message, by nothing but the definitions in the file."""
    with AnyReader([path]) as reader:
        return [
            Entry(connection.topic, time_ns, reader.deserialize(raw, connection.msgtype))
            for connection, time_ns, raw in reader.messages()
        ]


def spoil_last_string(path: Path) -> None:
    """Make the frame name of the last message in a file longer than the file."""
    data = bytearray(path.read_bytes())
    length_at = data.rfind(b'optical') - 4
    data[length_at : length_at + 4] = b'\xff\xff\xff\x7f'
    path.write_bytes(data)


def same(message: Any, other: Any) -> bool:
    """Whether two messages have the same bytes, whichever typestores they are of."""
    type_name = message.__msgtype__
    return type_name == other.__msgtype__ and serialise(message, type_name) == serialise(other, type_name)
