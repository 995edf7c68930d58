"""Recordings in, recordings of results out, without ROS."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tiny_bag import (
    CAMERA_INFO,
    DEPTH,
    IMAGE,
    KINDS,
    MS,
    PERIOD_NS,
    START_NS,
    TRANSPORT_NS,
    Entry,
    FakeEngine,
    frame,
    frames,
    header,
    read_bag,
    same,
    spoil,
    spoil_last_string,
    write_bag,
)

from dense_descriptor_ros.bag import main
from dense_descriptor_ros.bag_messages import make_bag
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, save_checkpoint
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.model import DescriptorNet, ModelConfig

ROOT = Path(__file__).parents[1]
POSES = '/perception/acf_poses'


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(Engine, 'load', lambda path, device, precision: engine)
    return engine


@pytest.fixture
def run(engine: FakeEngine, tmp_path: Path) -> Callable[..., dict[str, list[Entry]]]:
    """Write a recording, run the program over it and read by topic what it has written."""

    def run(entries: list[Entry], *options: str, kind: str = '.mcap file') -> dict[str, list[Entry]]:
        main([str(write_bag(tmp_path / 'in', entries, kind)), '--out', str(tmp_path / 'out.mcap'), *options])
        found: dict[str, list[Entry]] = {}
        for entry in read_bag(tmp_path / 'out.mcap'):
            found.setdefault(entry.topic, []).append(entry)
        return found

    return run


@pytest.mark.parametrize('kind', KINDS)
def test_every_frame_gives_messages_whatever_recorded_it(run: Any, engine: FakeEngine, kind: str) -> None:
    written = run(frames(3), kind=kind)
    assert set(written) == {POSES, '/perception/poses', '/perception/markers'}
    for number, entry in enumerate(written[POSES]):
        stamp_ns = START_NS + number * PERIOD_NS
        assert entry.time_ns == stamp_ns + TRANSPORT_NS + MS  # when the image was recorded
        assert same(entry.message.header, header(stamp_ns))
        body, handle = entry.message.frames  # the third frame is below the threshold
        assert (body.category, body.part, body.instance_id) == ('mug', 'body', handle.instance_id)
        assert body.score == np.float32(0.9) and body.orientation_complete and not handle.orientation_complete
        position = (body.pose.position.x, body.pose.position.y, body.pose.position.z)
        assert position == (number / 100, -0.2, 0.8)
        assert (handle.axis.x, handle.axis.y, handle.axis.z) == (0, 0, 1)
        assert (entry.message.processing_time.sec, entry.message.processing_time.nanosec) == (0, 250 * MS)
    assert len(engine.calls) == len(written[POSES]) == 3
    assert [len(entry.message.poses) for entry in written['/perception/poses']] == [2, 2, 2]
    # One that deletes, and sphere, label and arrow of each frame, with a second arrow for one.
    assert [len(entry.message.markers) for entry in written['/perception/markers']] == [8, 8, 8]


@pytest.mark.parametrize('kind', ['.mcap file', 'ROS 1'])
def test_engine_sees_rgb_metres_and_intrinsics(run: Any, engine: FakeEngine, kind: str) -> None:
    run(frames(2), kind=kind)
    rgb, depth_m, K = engine.calls[1]
    assert rgb.shape == (48, 64, 3) and (rgb == (10, 20, 30)).all()
    assert depth_m.dtype == np.float32 and depth_m == pytest.approx(1.5)
    assert K.tolist() == [[50, 0, 32], [0, 50, 24], [0, 0, 1]]


def test_options_are_the_nodes_parameters(run: Any, engine: FakeEngine) -> None:
    written = run(frames(2), '--score-threshold', '0.3', '--depth-scale', '0.0001', '--no-tracking')
    last = written[POSES][-1].message.frames
    assert [(found.instance_id, found.age.nanosec) for found in last] == [(0, 0), (0, 0), (1, 0)]
    assert engine.calls[0][1] == pytest.approx(0.15)


def test_images_are_written_when_asked(run: Any) -> None:
    written = run(frames(1), '--outputs', 'overlay', 'descriptors', 'descriptors_rgb')
    assert set(written) == {f'/perception/{name}' for name in ('overlay', 'descriptors', 'descriptors_rgb')}
    [descriptors] = written['/perception/descriptors']
    message = descriptors.message
    assert (message.encoding, message.height, message.width, message.step) == ('32FC4', 12, 16, 16 * 16)
    assert message.data.view(np.float32).reshape(12, 16, 4)[3, 5].tolist() == [0, 1, 0, 0]
    assert written['/perception/overlay'][0].message.encoding == 'rgb8'


@pytest.mark.parametrize('kind', ['mcap folder', 'ROS 1'])
def test_copied_inputs_make_a_recording_that_stands_alone(run: Any, tmp_path: Path, kind: str) -> None:
    entries = frames(2)
    written = run(entries, '--copy', '--outputs', 'acf_poses', 'overlay', kind=kind)
    copies = sorted(entry for topic in (IMAGE, DEPTH, CAMERA_INFO) for entry in written[topic])
    assert len(copies) == len(entries)
    for copy, original in zip(copies, sorted(entries), strict=True):
        assert copy[:2] == original[:2] and same(copy.message, original.message)
    main([str(tmp_path / 'out.mcap'), '--outputs', 'acf_poses'])
    again = read_bag(tmp_path / 'out_frames.mcap')
    assert [entry.time_ns for entry in again] == [entry.time_ns for entry in written[POSES]]
    assert all(same(a.message, b.message) for a, b in zip(again, written[POSES], strict=True))


def test_bad_frames_are_skipped_and_summed_up(run: Any, capsys: pytest.CaptureFixture) -> None:
    bad = [*spoil(1, IMAGE, encoding='yuv422'), *spoil(2, IMAGE, encoding='yuv422')]
    written = run([*frame(0), *bad, *frame(3), *frame(4)[:2]])
    assert [entry.message.header.stamp.nanosec for entry in written[POSES]] == [0, 300 * MS]
    output = capsys.readouterr()
    assert '2 of 5 images processed; dropped: image_encoding 2, image_unpaired 1' in output.out
    assert output.err.count("(image_encoding): image has encoding 'yuv422'") == 1


def test_a_run_without_a_result_fails_and_leaves_nothing(
    run: Any, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.error = InputError('too small')
    with pytest.raises(
        SystemExit, match=r'^error: .*nothing to write, 0 of 2 images processed; .*rejected 2$'
    ):
        run(frames(2))
    assert [path.name for path in tmp_path.iterdir()] == ['in']


def test_stamps_too_far_apart_are_explained(run: Any) -> None:
    entries = [
        entry for number in range(3) for entry in spoil(number, DEPTH, header=header(number * PERIOD_NS))
    ]
    with pytest.raises(SystemExit, match=r'image_unpaired 3.*differed by 99\.800 s.*--sync-slop'):
        run(entries)


def test_topics_can_be_named(run: Any, capsys: pytest.CaptureFixture) -> None:
    info, image, depth = frame(0)
    entries = [info, info._replace(topic='/info'), image, depth, depth._replace(topic='/raw_depth')]
    assert len(run(entries, '--depth', DEPTH, '--camera-info', '/info')[POSES]) == 1
    assert f'image: {IMAGE}, depth: {DEPTH}, camera_info: /info' in capsys.readouterr().out


def test_topics_in_doubt_end_the_run_before_the_network_is_loaded(run: Any, engine: FakeEngine) -> None:
    info, image, depth = frame(0)
    with pytest.raises(SystemExit, match=r'^error: .*--depth to name one of'):
        run([info, image, depth, depth._replace(topic='/raw_depth')])
    assert not engine.calls


def test_damage_far_into_a_recording_leaves_nothing(run: Any, tmp_path: Path) -> None:
    path = write_bag(tmp_path / 'in', frames(5))
    spoil_last_string(path)
    with pytest.raises(SystemExit, match=f'^error: {path}: not a bag that can be read'):
        main([str(path), '--out', str(tmp_path / 'out.mcap')])
    assert [file.name for file in tmp_path.iterdir()] == ['in']


def test_output_is_never_overwritten(run: Any, engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / 'out.mcap').write_text('precious')
    with pytest.raises(SystemExit, match=r'^error: --out .*out\.mcap: exists already'):
        run(frames(1))
    assert (tmp_path / 'out.mcap').read_text() == 'precious'
    assert not engine.calls


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--out', 'x.bag'], r'--out x\.bag: name a file that ends in \.mcap'),
        (['--score-threshold', '1.5'], r'score_threshold is 1\.5: expected 0\.0 to 1\.0'),
    ],
)
def test_options_out_of_range_are_named(options: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f'^error: {message}'):
        main(['none.mcap', *options])


@pytest.mark.usefixtures('engine')
@pytest.mark.parametrize(
    ('kind', 'name', 'expected'),
    [('mcap folder', 'of.may', 'of.may_frames.mcap'), ('ROS 1', 'in', 'in_frames.mcap')],
)
def test_results_lie_beside_the_recording(tmp_path: Path, kind: str, name: str, expected: str) -> None:
    main([str(write_bag(tmp_path / name, frames(1), kind))])
    assert len(read_bag(tmp_path / expected)) == 3


BLOCKED = """
import runpy, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        first = name.split('.')[0]
        if first == 'rclpy' or first.endswith(('_msgs', '_interfaces')) or name == 'dense_descriptor_ros.msg':
            raise ImportError(f'{name} is blocked')

sys.meta_path.insert(0, Block())
for arguments in (['--help'], sys.argv[1:]):
    sys.argv[1:] = arguments
    try:
        runpy.run_module('dense_descriptor_ros.bag', run_name='__main__')
    except SystemExit as ending:
        assert ending.code in (0, None), ending.code
"""


def test_command_line_needs_no_ros(tmp_path: Path) -> None:
    torch.manual_seed(0)
    category = load_category('mug')
    config = ModelConfig(descriptor_dim=8, pyramid_channels=16, head_channels=16, last_stage_channels=32)
    checkpoint = tmp_path / 'tiny.safetensors'
    save_checkpoint(checkpoint, Checkpoint(DescriptorNet(config, len(category.parts)), config, category))
    recording = write_bag(tmp_path / 'in', frames(2))
    out = tmp_path / 'new' / 'out.mcap'
    options = ['--checkpoint', str(checkpoint), '--device', 'cpu', '--out', str(out)]
    command = [sys.executable, '-c', BLOCKED, str(recording), *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert 'usage:' in result.stdout and f'{out}: 2 of 2 images processed; dropped: none' in result.stdout
    assert len([entry for entry in read_bag(out) if entry.topic == POSES]) == 2


def compressed(entry: Entry) -> Entry:
    """The same image as PNG, on the topic that image_transport has for it."""
    message, is_depth = entry.message, entry.topic == DEPTH
    pixels = np.frombuffer(message.data, np.uint16 if is_depth else np.uint8)
    pixels = pixels.reshape(message.height, message.width, -1)
    png = cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()
    data = struct.pack('<iff', 0, 0, 0) + png if is_depth else png
    form = '16UC1; compressedDepth' if is_depth else 'rgb8; png compressed bgr8'
    return Entry(
        f'{entry.topic}/{"compressedDepth" if is_depth else "compressed"}',
        entry.time_ns,
        make_bag(
            'sensor_msgs/msg/CompressedImage',
            header=message.header,
            format=form,
            data=np.frombuffer(data, np.uint8),
        ),
    )


def test_compressed_images_are_read_where_there_are_no_raw_ones(run: Any, engine: FakeEngine) -> None:
    entries = [compressed(entry) if entry.topic in (IMAGE, DEPTH) else entry for entry in frames(2)]
    written = run(entries, '--copy')
    assert len(written[POSES]) == len(written[f'{IMAGE}/compressed']) == 2
    for (rgb, depth_m, _), number in zip(engine.calls, range(2), strict=True):
        image, depth = (
            next(entry.message for entry in frame(number) if entry.topic == topic) for topic in (IMAGE, DEPTH)
        )
        np.testing.assert_array_equal(rgb.ravel(), image.data)
        np.testing.assert_allclose(depth_m.ravel(), depth.data.view(np.uint16) * 1e-3, rtol=1e-6)
