"""Each bad input leads to its counted reason, and the node goes on."""

import array
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import Image

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.ros.drops import Drop


def transcode(message: Image, encoding: str) -> None:
    message.encoding = encoding


def resize(message: Image, height: int, width: int) -> None:
    size = message.step // max(message.width, 1)
    message.height, message.width, message.step = height, width, width * size
    message.data = array.array('B', bytes(height * width * size))


def fill_depth(message: Image, value: float) -> None:
    message.encoding, message.step = '32FC1', 4 * message.width
    message.data = array.array('B', np.full((message.height, message.width), value, '<f4').tobytes())


BAD = {
    'image encoding': (Drop.IMAGE_ENCODING, lambda m: transcode(m['image'], 'yuv422')),
    'image without encoding': (Drop.IMAGE_ENCODING, lambda m: transcode(m['image'], '')),
    'empty image': (Drop.IMAGE_SIZE, lambda m: resize(m['image'], 0, 0)),
    'image step too small': (Drop.IMAGE_STEP, lambda m: setattr(m['image'], 'step', 10)),
    'image data cut off': (Drop.IMAGE_STEP, lambda m: setattr(m['image'], 'data', m['image'].data[:-7])),
    'image data too long': (Drop.IMAGE_STEP, lambda m: m['image'].data.append(0)),
    'depth encoding': (Drop.DEPTH_ENCODING, lambda m: transcode(m['depth'], 'mono8')),
    'depth of another size': (Drop.DEPTH_SIZE, lambda m: resize(m['depth'], 24, 32)),
    'empty depth': (Drop.DEPTH_SIZE, lambda m: resize(m['depth'], 0, 0)),
    'depth step': (Drop.DEPTH_STEP, lambda m: setattr(m['depth'], 'step', 1)),
    'zero depth': (Drop.DEPTH_EMPTY, lambda m: resize(m['depth'], 48, 64)),
    'NaN depth': (Drop.DEPTH_EMPTY, lambda m: fill_depth(m['depth'], np.nan)),
    'infinite depth': (Drop.DEPTH_EMPTY, lambda m: fill_depth(m['depth'], np.inf)),
    'negative depth': (Drop.DEPTH_EMPTY, lambda m: fill_depth(m['depth'], -1.0)),
    'camera_info of another size': (Drop.CAMERA_INFO_SIZE, lambda m: setattr(m['camera_info'], 'width', 640)),
    'zero K': (Drop.CAMERA_INFO_K, lambda m: setattr(m['camera_info'], 'k', [0.0] * 9)),
    'NaN K': (Drop.CAMERA_INFO_K, lambda m: setattr(m['camera_info'], 'k', [np.nan] * 9)),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_frame_is_counted_and_the_next_one_works(running: Any, name: str) -> None:
    reason, spoil = BAD[name]
    before = running.drops.get(reason, 0)
    results = len(running.received['acf_poses'])
    messages = running.messages()
    spoil(messages)
    running.send(messages)
    running.until(lambda: running.drops.get(reason, 0) == before + 1)
    assert len(running.received['acf_poses']) == results
    assert running.node.statistics.snapshot().last_error
    running.result()


def test_negative_stamp_stops_nothing(rig: Any) -> None:
    rig.start('acf_poses')
    messages = rig.messages()
    for name in ('image', 'depth'):
        messages[name].header.stamp.sec = -5
    rig.send(messages)
    rig.until(lambda: rig.drops.get(Drop.FAILURE) == 1)
    rig.result()


def test_missing_camera_info(rig: Any) -> None:
    rig.start('acf_poses')
    messages = rig.messages()
    del messages['camera_info']
    rig.send(messages)
    rig.until(lambda: rig.drops.get(Drop.CAMERA_INFO_MISSING) == 1)
    assert not rig.engine.calls[1:]  # the first call is the warm-up
    rig.result()


def test_bag_that_loops_restarts_the_pairing(running: Any) -> None:
    running.time_s += 100
    running.result()
    before = running.drops.get(Drop.STAMP_BACKWARDS, 0)
    running.time_s -= 100
    result = running.result()
    assert running.drops[Drop.STAMP_BACKWARDS] == before + 1
    assert abs(result.header.stamp.sec - running.time_s) <= 1


@pytest.mark.parametrize(
    ('error', 'reason'),
    [(RuntimeError('out of memory'), Drop.FAILURE), (InputError('too small'), Drop.REJECTED)],
)
def test_inference_that_raises_is_reported(running: Any, error: Exception, reason: Drop) -> None:
    before = running.drops.get(reason, 0)
    running.engine.error = error
    running.send(running.messages())
    running.until(lambda: running.drops.get(reason, 0) == before + 1)
    running.engine.error = None
    assert str(error) in running.node.statistics.snapshot().last_error
    running.result()


def test_depth_of_another_time_is_not_paired(running: Any) -> None:
    messages = running.messages()
    messages['depth'].header.stamp.sec += 10
    running.send(messages)
    running.time_s += 11
    before = running.drops.get(Drop.IMAGE_UNPAIRED, 0)
    running.result()
    assert running.drops[Drop.IMAGE_UNPAIRED] == before + 1
