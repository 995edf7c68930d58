"""Recordings read and written without ROS: rosbag2 (sqlite3 or MCAP) and ROS 1 bags in, MCAP out."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from dense_descriptor_ros.bag_messages import message_types, serialise
from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.ros.conversions import COLOUR_CHANNELS, DEPTH_DTYPES

NODE = '/perception'
"""Name of the node: results are written under it."""

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
INPUT_TYPES = {'image': (IMAGE, COMPRESSED), 'depth': (IMAGE, COMPRESSED), 'camera_info': (CAMERA_INFO,)}
"""Types of the topics that are read, by the names that the node has for them."""


class BagError(DenseDescriptorError):
    """A recording that is missing, damaged or without the topics that are needed."""


class Recorded(NamedTuple):
    """One message and when the recorder received it."""

    topic: str
    time_ns: int
    message: Any


class Bag:
    """A recording that is open for reading."""

    def __init__(self, path: Path, reader: AnyReader) -> None:
        self.path = path
        self._reader = reader

    def topics(self, *type_names: str) -> list[str]:
        """Topics of these types that have messages."""
        return sorted(
            {c.topic for c in self._reader.connections if c.msgtype in type_names and c.msgcount != 0}
        )

    def type_of(self, topic: str) -> str:
        """Type of a topic's messages."""
        return next(c.msgtype for c in self._reader.connections if c.topic == topic)

    def count(self, *topics: str) -> int:
        """How many messages the topics have."""
        return sum(connection.msgcount for connection in self._connections(topics))

    def first(self, topic: str) -> Any:
        """The first message of a topic.

        Raises:
            BagError: there is none, though the index says so.
        """
        for recorded in self.messages(topic):
            return recorded.message
        raise BagError(
            f'{self.path}: {topic} has no message, though the index says so; `ros2 bag reindex` it'
        )

    def messages(self, *topics: str) -> Iterator[Recorded]:
        """Every message of the topics, in the order in which they were recorded.

        Raises:
            BagError: the file is damaged.
        """
        with reading(self.path):
            for connection, time_ns, raw in self._reader.messages(self._connections(topics)):
                message = self._reader.deserialize(raw, connection.msgtype)
                yield Recorded(connection.topic, time_ns, message)

    def _connections(self, topics: tuple[str, ...]) -> list[Connection]:
        return [connection for connection in self._reader.connections if connection.topic in topics]


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """The recording in a rosbag2 folder, an .mcap, .db3 or .bag file.

    Raises:
        BagError: there is none, or it is damaged.
    """
    if not path.exists():
        raise BagError(f'{path}: no such file or folder; name a rosbag2 folder, an .mcap, .db3 or .bag file')
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        raise BagError(
            f'{path}: holds no metadata.yaml; name a rosbag2 folder, or the .mcap or .db3 file in it'
        )
    with ExitStack() as stack:
        with reading(path):
            reader = stack.enter_context(AnyReader([path], default_typestore=message_types()))
        yield Bag(path, reader)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the parsers stumble on in a damaged file into one error that names it."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise BagError(
            f'{path}: not a bag that can be read ({error}); if its recording was cut off, '
            '`mcap recover`, `ros2 bag reindex` or `rosbag reindex` may mend it'
        ) from error


@dataclass(frozen=True)
class InputTopics:
    """Topics of a recording that stand for the node's inputs.

    Raises:
        BagError: one topic for two inputs.
    """

    image: str
    depth: str
    camera_info: str

    def __post_init__(self) -> None:
        if self.image == self.depth:
            raise BagError(f'image and depth are both {self.image}: name another topic for one of them')


def find_inputs(bag: Bag, named: dict[str, str | None]) -> InputTopics:
    """The topics that are named, and for each other input the only one that can be meant.

    Images are told from depth by their first message; those of the node itself are not meant, and compressed
    ones only where there are no raw ones. Of several camera_info the one beside the image is taken:
    `/camera/color/camera_info` for `/camera/color/image_raw`.

    Args:
        bag: the recording.
        named: topics by the fields of InputTopics; None where it is to be found.

    Raises:
        BagError: a named topic is not there, or none or several could be meant.
    """
    image = choose(bag, 'image', named['image'], candidates(bag, 'image'))
    beside = f'{image.rpartition("/")[0]}/camera_info'
    infos = bag.topics(CAMERA_INFO)
    return InputTopics(
        image,
        choose(bag, 'depth', named['depth'], candidates(bag, 'depth')),
        choose(bag, 'camera_info', named['camera_info'], [beside] if beside in infos else infos),
    )


def candidates(bag: Bag, name: str) -> list[str]:
    """Topics that can be the image or the depth: the raw ones, or else the compressed ones."""
    for type_name in INPUT_TYPES[name]:
        foreign = [topic for topic in bag.topics(type_name) if not topic.startswith(f'{NODE}/')]
        found = [topic for topic in foreign if shows(bag.first(topic)) == name]
        if found:
            return found
    return []


def shows(message: Any) -> str | None:
    """Whether an image shows colour (`image`) or `depth`, as far as the node takes it."""
    if hasattr(message, 'format'):
        return 'depth' if 'compressedDepth' in message.format else 'image'
    if message.encoding in COLOUR_CHANNELS:
        return 'image'
    return 'depth' if message.encoding in DEPTH_DTYPES else None


def choose(bag: Bag, name: str, named: str | None, found: list[str]) -> str:
    """The topic that is named for an input, or else the only candidate.

    Raises:
        BagError: there is no such topic, or not one candidate.
    """
    there = bag.topics(*INPUT_TYPES[name])
    if named is not None and named in there:
        return named
    if named is None and len(found) == 1:
        return found[0]
    count = len(found) or 'no'
    problem = f'no topic {named}' if named else f'{count} topics that can be the {name}'
    choice = (
        f'one of {", ".join(found or there)}' if there else f'one of type {" or ".join(INPUT_TYPES[name])}'
    )
    raise BagError(f'{bag.path}: has {problem}; expected {option(name)} to name {choice}')


def option(name: str) -> str:
    """The option of the command line that sets something."""
    return f'--{name.replace("_", "-")}'


class McapFile:
    """A ROS 2 recording that is being written."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._connections: dict[str, Connection] = {}

    def write(self, topic: str, type_name: str, message: Any, time_ns: int) -> None:
        """Add a message of `make_bag` as received at a time."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=message_types()
            )
        self._writer.write(self._connections[topic], time_ns, serialise(message, type_name))


def check_new(path: Path) -> None:
    """Raise ConfigError unless a recording can be written under this name."""
    if path.suffix != '.mcap':
        raise ConfigError(f'--out {path}: name a file that ends in .mcap')
    if path.exists():
        raise ConfigError(f'--out {path}: exists already; remove it or name another file')


@contextmanager
def new_mcap(path: Path) -> Iterator[McapFile]:
    """One MCAP file, with the definitions of its messages; there under its name only once it is complete.

    Raises:
        ConfigError: the file exists, or its name has another suffix.
    """
    check_new(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # rosbags writes the folder of a rosbag2; the .mcap in it is complete without the metadata.yaml beside it.
    with TemporaryDirectory(prefix=f'.{path.stem}.', dir=path.parent) as temporary:
        folder = Path(temporary) / path.stem
        writer = Writer(folder, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            yield McapFile(writer)
        (folder / path.name).rename(path)
