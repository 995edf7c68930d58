"""The node over DDS and the program over a recording give the same messages for the same images."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import HEIGHT, OUTPUT_TYPES, WIDTH, FakeEngine, Rig, image_message
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from tiny_bag import Entry, write_bag

from dense_descriptor_ros.bag import KNOWN_OUTPUTS, OUTPUT_NAMES, main
from dense_descriptor_ros.bag_files import NODE, option
from dense_descriptor_ros.bag_messages import as_ros2, message_types
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint
from dense_descriptor_ros.decode import DecodeConfig
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.frames import Prediction
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.ros import model_loading
from dense_descriptor_ros.ros.drops import Drop

TYPES = {'image': 'Image', 'depth': 'Image', 'camera_info': 'CameraInfo'}
COUNT = 4


class ShiftingEngine(FakeEngine):
    """Finds objects farther to the right the redder the image is."""

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        found = super().infer(rgb, depth_m, K)
        shift = np.array([rgb[0, 0, 0] / 10_000, 0, 0])
        return replace(found, frames=[replace(f, origin_m=f.origin_m + shift) for f in found.frames])


def generous_engine() -> Engine:
    """A tiny untrained network that sees objects in noise."""
    torch.manual_seed(0)
    config = ModelConfig(descriptor_dim=8, pyramid_channels=16, head_channels=16, last_stage_channels=32)
    category = load_category('mug')
    checkpoint = Checkpoint(DescriptorNet(config, len(category.parts)), config, category)
    decoding = DecodeConfig(min_object_score=0.0, min_support_cells=1.0, score_threshold=0.0)
    return Engine(checkpoint, 'cpu', decoding)


def recorded(messages: dict[str, Any], time_ns: int) -> list[Entry]:
    return [
        Entry(f'/camera/{name}', time_ns + number, as_ros2(message, f'sensor_msgs/msg/{TYPES[name]}'))
        for number, (name, message) in enumerate(messages.items())
    ]


class Bench:
    """A node whose every input is recorded as well."""

    def __init__(self, engine: Any, **parameters: Any) -> None:
        self.rig = Rig(lambda path, runtime: engine, **parameters)
        self.rng = np.random.default_rng(0)
        self.entries: list[Entry] = []

    def messages(self) -> dict[str, Any]:
        """A frame of noise."""
        messages = self.rig.messages()
        rgb = self.rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        depth = self.rng.integers(0, 2000, (HEIGHT, WIDTH), np.uint16)
        messages['image'] = image_message(rgb, 'rgb8', self.rig.time_s)
        messages['depth'] = image_message(depth, '16UC1', self.rig.time_s)
        return messages

    def send(self, messages: dict[str, Any]) -> None:
        self.entries += recorded(messages, len(self.entries) * 10**6)
        self.rig.send(messages)

    def results(self, *names: str, count: int = COUNT) -> dict[str, list[Any]]:
        """What came out for good frames, each of which is waited for."""
        self.rig.start(*names)
        for number in range(1, count + 1):
            self.send(self.messages())
            self.rig.until(lambda n=number: all(len(self.rig.received[name]) == n for name in names))
        return {name: self.rig.received[name] for name in names}


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(engine: Any, **parameters: Any) -> Bench:
        made.append(Bench(engine, **parameters))
        return made[-1]

    yield make
    for one in made:
        one.rig.close()


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, list[Any]]]:
    """Run the program over a recording; what it wrote, as rclpy reads it."""

    def replay(engine: Any, entries: list[Entry], *options: str) -> dict[str, list[Any]]:
        monkeypatch.setattr(Engine, 'load', lambda path, device, precision: engine)
        inputs = [word for name in TYPES for word in (option(name), f'/camera/{name}')]
        out = tmp_path / 'out.mcap'
        main([str(write_bag(tmp_path / 'in', entries)), '--out', str(out), *inputs, *options])
        found: dict[str, list[Any]] = {}
        with AnyReader([out]) as reader:
            for connection, _, raw in reader.messages():
                name = connection.topic.removeprefix(f'{NODE}/')
                found.setdefault(name, []).append(deserialize_message(bytes(raw), OUTPUT_TYPES[name]))
        return found

    return replay


def without_time(messages: list[Any]) -> list[Any]:
    """The messages without the wall time of the inference."""
    for message in messages:
        if hasattr(message, 'processing_time'):
            message.processing_time.sec = message.processing_time.nanosec = 0
    return messages


def test_every_output_is_the_same(bench: Any, replay: Any) -> None:
    engine = ShiftingEngine()
    one = bench(engine)
    published = one.results(*OUTPUT_NAMES)
    replayed = replay(engine, one.entries, '--outputs', *OUTPUT_NAMES)
    assert set(replayed) == set(OUTPUT_NAMES)
    for name in OUTPUT_NAMES:
        assert without_time(replayed[name]) == without_time(published[name]), name
    positions = {message.frames[0].pose.position.x for message in published['acf_poses']}
    assert len(positions) == COUNT  # frames that could be mistaken for each other would show nothing
    ages = [message.frames[0].age.nanosec for message in published['acf_poses']]
    assert ages == sorted(set(ages))


def test_a_network_gives_the_same_frames_and_descriptors(
    bench: Any, replay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        model_loading, 'WARM_UP_SIZE', (HEIGHT, WIDTH)
    )  # decoding all of a large image takes seconds
    engine = generous_engine()
    one = bench(engine, score_threshold=0.0)
    names = ('acf_poses', 'descriptors')
    published = one.results(*names, count=2)
    replayed = replay(engine, one.entries, '--score-threshold', '0', '--outputs', *names)
    for name in names:
        assert without_time(replayed[name]) == without_time(published[name]), name
    assert all(message.frames for message in published['acf_poses'])


def test_the_same_frames_are_dropped_for_the_same_reasons(
    bench: Any, replay: Any, capsys: pytest.CaptureFixture
) -> None:
    engine = ShiftingEngine()
    one = bench(engine)
    one.results('acf_poses')
    bad = one.messages()
    bad['image'].encoding = 'yuv422'
    one.send(bad)
    one.rig.until(lambda: one.rig.drops)  # a frame that follows at once would supersede it
    far = one.messages()
    far['depth'].header.stamp.sec += 10
    one.send(far)
    one.rig.time_s += 20
    one.send(one.messages())
    one.rig.until(lambda: len(one.rig.received['acf_poses']) == COUNT + 1)
    drops = dict(one.rig.drops)
    assert drops == {Drop.IMAGE_ENCODING: 1, Drop.IMAGE_UNPAIRED: 1, Drop.DEPTH_UNPAIRED: 1}
    replayed = replay(engine, one.entries, '--outputs', 'acf_poses')
    assert without_time(replayed['acf_poses']) == without_time(one.rig.received['acf_poses'])
    told = capsys.readouterr().out.split('dropped: ')[1].strip()
    assert {tuple(part.split()) for part in told.split(', ')} == {
        (reason.value, str(count)) for reason, count in drops.items()
    }


def test_topics_and_types_are_the_nodes(bench: Any) -> None:
    rig = bench(FakeEngine()).rig
    rig.start()
    for output in KNOWN_OUTPUTS:
        topic = f'{rig.namespace}{NODE}{output.topic[1:]}'
        [endpoint] = rig.peer.get_publishers_info_by_topic(topic)
        assert endpoint.topic_type == output.message_type
        assert str(endpoint.topic_type_hash) == message_types().hash_rihs01(output.message_type)
