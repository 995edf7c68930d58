"""Recordings: which topics are meant, what is damaged, what is left behind."""

import re
from pathlib import Path

import pytest
from tiny_bag import (
    CAMERA_INFO,
    DEPTH,
    IMAGE,
    KINDS,
    Entry,
    frame,
    frames,
    read_bag,
    spoil_last_string,
    write_bag,
)

from dense_descriptor_ros.bag_files import (
    BagError,
    InputTopics,
    check_new,
    find_inputs,
    new_mcap,
    open_bag,
)
from dense_descriptor_ros.bag_messages import make_bag
from dense_descriptor_ros.errors import ConfigError

# A camera as RealSense's driver names it: depth also as it is measured, and a calibration beside each image.
INFO_OF_DEPTH, RAW_DEPTH = '/camera/depth/camera_info', '/camera/depth/raw'
POINT = 'geometry_msgs/msg/Point'


def rich() -> list[Entry]:
    info, image, depth = frame(0)
    return [info, info._replace(topic=INFO_OF_DEPTH), image, depth, depth._replace(topic=RAW_DEPTH)]


def found(folder: Path, entries: list[Entry], **named: str) -> InputTopics:
    with open_bag(write_bag(folder / 'in', entries)) as bag:
        return find_inputs(bag, {'image': None, 'depth': None, 'camera_info': None, **named})


@pytest.mark.parametrize('kind', KINDS)
def test_messages_come_in_the_order_of_their_recording(tmp_path: Path, kind: str) -> None:
    entries = frames(3)
    with open_bag(write_bag(tmp_path / 'in', entries[::-1], kind)) as bag:
        assert bag.count(IMAGE, CAMERA_INFO) == 6
        read = list(bag.messages(IMAGE, CAMERA_INFO))
    assert [entry[:2] for entry in read] == [entry[:2] for entry in entries if entry.topic != DEPTH]


def test_images_are_told_apart_by_their_encodings(tmp_path: Path) -> None:
    assert found(tmp_path, frame(0)) == InputTopics(IMAGE, DEPTH, CAMERA_INFO)


def test_calibration_beside_the_image_is_meant(tmp_path: Path) -> None:
    assert found(tmp_path, rich(), depth=RAW_DEPTH) == InputTopics(IMAGE, RAW_DEPTH, CAMERA_INFO)


def test_what_the_node_published_is_not_meant(tmp_path: Path) -> None:
    overlay = frame(0)[1]._replace(topic='/perception/overlay')
    assert found(tmp_path, [*frame(0), overlay]).image == IMAGE


def test_two_that_can_be_meant_are_listed(tmp_path: Path) -> None:
    listed = f'2 topics that can be the depth; expected --depth to name one of {DEPTH}, {RAW_DEPTH}'
    with pytest.raises(BagError, match=f'{listed}$'):
        found(tmp_path, rich())


def test_calibrations_elsewhere_are_listed(tmp_path: Path) -> None:
    info, image, depth = frame(0)
    with pytest.raises(BagError, match=r'--camera-info to name one of /left, /right$'):
        found(tmp_path, [info._replace(topic='/left'), info._replace(topic='/right'), image, depth])


@pytest.mark.parametrize(
    ('entries', 'named', 'message'),
    [
        (frame(0), {'image': '/no'}, f'no topic /no; expected --image to name one of {IMAGE}'),
        (frame(0), {'camera_info': IMAGE}, f'no topic {IMAGE}; expected --camera-info'),
        (frame(0), {'depth': IMAGE}, f'image and depth are both {IMAGE}'),
        (frame(0)[:2], {}, f'no topics that can be the depth; expected --depth to name one of {IMAGE}'),
        (
            frame(0)[1:],
            {},
            'camera_info; expected --camera-info to name one of type sensor_msgs/msg/CameraInfo',
        ),
        (frame(0)[:1], {}, 'image; expected --image to name one of type sensor_msgs/msg/Image'),
    ],
)
def test_topics_that_are_missing_are_named(
    tmp_path: Path, entries: list[Entry], named: dict[str, str], message: str
) -> None:
    with pytest.raises(BagError, match=re.escape(message)):
        found(tmp_path, entries, **named)


@pytest.mark.parametrize('kind', KINDS)
def test_recordings_that_were_cut_off_are_named(tmp_path: Path, kind: str) -> None:
    path = write_bag(tmp_path / 'in', frames(20), kind)
    file = next(f for f in path.iterdir() if f.suffix != '.yaml') if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BagError, match=f'^{path}: not a bag that can be read'), open_bag(path) as bag:
        list(bag.messages(IMAGE, DEPTH, CAMERA_INFO))


def test_a_damaged_message_is_named_once_it_is_reached(tmp_path: Path) -> None:
    path = write_bag(tmp_path / 'in', frames(2))
    spoil_last_string(path)
    with open_bag(path) as bag:
        messages = bag.messages(IMAGE, DEPTH)
        assert [next(messages).topic for _ in range(3)] == [IMAGE, DEPTH, IMAGE]
        with pytest.raises(BagError, match=r'not a bag that can be read .*string length'):
            next(messages)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    text = tmp_path / 'notes.txt'
    text.write_text('no bag')
    for path, message in (
        (tmp_path / 'none.mcap', 'no such file or folder'),
        (tmp_path, r'holds no metadata\.yaml'),
        (text, 'not a bag'),
    ):
        with pytest.raises(BagError, match=f'^{path}: {message}'), open_bag(path):
            pass


def test_an_error_of_the_one_who_reads_is_not_the_recordings(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_bag(write_bag(tmp_path / 'in', frames(1))) as bag:
        for _ in bag.messages(IMAGE):
            raise ZeroDivisionError


def test_a_file_is_there_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'points.of.may.mcap'
    with new_mcap(path) as file:
        file.write('/a', POINT, make_bag(POINT, x=1.5), 7)
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    [entry] = read_bag(path)
    assert entry[:2] == ('/a', 7) and entry.message.x == 1.5


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_mcap(tmp_path / 'points.mcap') as file:
        file.write('/a', POINT, make_bag(POINT), 7)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_names_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'out.mcap').touch()
    for name, message in (('out.mcap', 'exists already'), ('out.bag', r'name a file that ends in \.mcap')):
        with pytest.raises(ConfigError, match=f'--out {tmp_path / name}: {message}'):
            check_new(tmp_path / name)
