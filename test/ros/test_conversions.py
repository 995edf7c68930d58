"""Messages to arrays and back, against closed forms."""

import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import image_message
from sensor_msgs.msg import CameraInfo, Image

from dense_descriptor_ros.bag_messages import as_ros2, make_bag
from dense_descriptor_ros.ros.conversions import (
    DepthRange,
    array_to_image,
    camera_matrix,
    depth_to_metres,
    image_to_rgb,
    rgbd_frame,
)
from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.message_types import Make, make_ros

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
ALPHA = np.full((2, 3, 1), 255, np.uint8)


def padded(message: Image, padding: int) -> Image:
    """The same pixels with bytes of rubbish at the end of each row."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, -1)
    rows = np.hstack([rows, np.full((message.height, padding), 77, np.uint8)])
    message.step, message.data = rows.shape[1], array.array('B', rows.tobytes())
    return message


@pytest.mark.parametrize('padding', [0, 1, 5])
@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('rgb8', RGB),
        ('bgr8', RGB[..., ::-1]),
        ('rgba8', np.concatenate([RGB, ALPHA], 2)),
        ('bgra8', np.concatenate([RGB[..., ::-1], ALPHA], 2)),
    ],
)
def test_colour_encodings_give_rgb(encoding: str, pixels: np.ndarray, padding: int) -> None:
    rgb = image_to_rgb(padded(image_message(pixels, encoding), padding))
    assert rgb.dtype == np.uint8 and rgb.flags.c_contiguous and rgb.flags.owndata
    assert (rgb == RGB).all()


@pytest.mark.parametrize('padding', [0, 3])
def test_mono_is_repeated(padding: int) -> None:
    rgb = image_to_rgb(padded(image_message(RGB[..., 1], 'mono8'), padding))
    assert rgb.flags.c_contiguous
    assert (rgb == RGB[..., 1:2]).all()


@pytest.mark.parametrize('padding', [0, 1, 6])
@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize(
    ('encoding', 'kind', 'raw'),
    [
        ('16UC1', 'u2', [[0, 1, 256], [1500, 65535, 999]]),
        ('32FC1', 'f4', [[0, 0.001, 0.256], [1.5, 65.535, 0.999]]),
    ],
)
def test_depth_is_metres(encoding: str, kind: str, raw: Any, order: str, padding: int) -> None:
    message = padded(image_message(np.array(raw, f'{order}{kind}'), encoding), padding)
    message.is_bigendian = order == '>'
    depth_m = depth_to_metres(message)
    assert depth_m.dtype == np.float32 and depth_m.dtype.isnative
    np.testing.assert_allclose(depth_m, [[0, 0.001, 0.256], [1.5, 65.535, 0.999]], rtol=1e-6)


def test_unknown_depth_is_zero() -> None:
    raw = np.array([[np.nan, np.inf, -np.inf], [-0.5, 0, 2]], '<f4')
    assert depth_to_metres(image_message(raw, '32FC1')).tolist() == [[0, 0, 0], [0, 0, 2]]


@pytest.mark.parametrize(('encoding', 'unit'), [('16UC1', 1000), ('32FC1', 1)])
def test_depth_out_of_range_is_unknown_and_the_ends_are_in_range(encoding: str, unit: int) -> None:
    kind = np.uint16 if encoding == '16UC1' else np.float32
    raw = (np.array([[0.099, 0.1, 0.5], [9.999, 10, 10.001]]) * unit).round(3).astype(kind)
    depth_m = depth_to_metres(image_message(raw, encoding), DepthRange(0.1, 10.0))
    np.testing.assert_allclose(depth_m, [[0, 0.1, 0.5], [9.999, 10, 0]], rtol=1e-6)


def test_unit_is_that_of_integers_alone() -> None:
    tenths = DepthRange(unit_m=1e-4)
    raw = image_message(np.array([[12345]], np.uint16), '16UC1')
    assert depth_to_metres(raw, tenths) == pytest.approx(1.2345, rel=1e-6)
    assert depth_to_metres(image_message(np.array([[1.5]], np.float32), '32FC1'), tenths) == 1.5


def test_nothing_in_range_is_a_bad_frame() -> None:
    with pytest.raises(BadFrameError, match=r'from 0\.5 to 2 m') as error:
        depth_to_metres(image_message(np.array([[3.0]], np.float32), '32FC1'), DepthRange(0.5, 2.0))
    assert error.value.reason is Drop.DEPTH_EMPTY


def info(width: int = 3, height: int = 2, k: Any = (50, 0, 1, 0, 60, 0.5, 0, 0, 1)) -> CameraInfo:
    return CameraInfo(width=width, height=height, k=np.array(k, float))


def test_camera_matrix() -> None:
    assert camera_matrix(info(), 3, 2).tolist() == [[50, 0, 1], [0, 60, 0.5], [0, 0, 1]]


def test_camera_matrix_of_ros_1() -> None:
    message = SimpleNamespace(width=3, height=2, K=np.array([50, 0, 1, 0, 60, 0.5, 0, 0, 1]))
    assert camera_matrix(message, 3, 2).tolist() == [[50, 0, 1], [0, 60, 0.5], [0, 0, 1]]


@pytest.mark.parametrize(
    ('bad', 'reason'),
    [
        (info(width=6), Drop.CAMERA_INFO_SIZE),
        (info(height=4), Drop.CAMERA_INFO_SIZE),
        (info(k=np.zeros(9)), Drop.CAMERA_INFO_K),
        (info(k=(50, 0, 1, 0, -1, 1, 0, 0, 1)), Drop.CAMERA_INFO_K),
        (info(k=(50, 0, np.inf, 0, 60, 1, 0, 0, 1)), Drop.CAMERA_INFO_K),
    ],
)
def test_bad_camera_info(bad: CameraInfo, reason: Drop) -> None:
    with pytest.raises(BadFrameError, match='camera_info') as error:
        camera_matrix(bad, 3, 2)
    assert error.value.reason is reason


def test_frame_of_three_messages() -> None:
    image, depth = image_message(RGB, 'rgb8', 12.5), image_message(np.ones((2, 3), '<f4'), '32FC1', 12.51)
    frame = rgbd_frame(image, depth, info())
    assert frame.header == image.header
    assert (frame.rgb == RGB).all() and (frame.depth_m == 1).all() and frame.K[0, 0] == 50


def test_messages_of_a_bag_give_the_same_frame() -> None:
    depth = image_message(np.array([[1, 2, 3], [4, 5, 6]], '<u2'), '16UC1')
    messages = {'Image': padded(image_message(RGB[..., ::-1], 'bgr8', 12.5), 3), 'CameraInfo': info()}
    image, camera_info = (as_ros2(m, f'sensor_msgs/msg/{name}') for name, m in messages.items())
    frame = rgbd_frame(image, as_ros2(depth, 'sensor_msgs/msg/Image'), camera_info)
    expected = rgbd_frame(messages['Image'], depth, messages['CameraInfo'])
    assert frame.header.stamp.nanosec == expected.header.stamp.nanosec == 500_000_000
    for name in ('rgb', 'depth_m', 'K'):
        np.testing.assert_array_equal(getattr(frame, name), getattr(expected, name))
    frame.rgb[0, 0] = 0  # a copy: the bag's buffer cannot be written to


def test_depth_of_another_size_is_named() -> None:
    with pytest.raises(BadFrameError, match='depth is 2x2, image 3x2') as error:
        rgbd_frame(image_message(RGB, 'rgb8'), image_message(np.ones((2, 2), '<f4'), '32FC1'), info())
    assert error.value.reason is Drop.DEPTH_SIZE


@pytest.mark.parametrize('make', [make_ros, make_bag])
@pytest.mark.parametrize(
    ('pixels', 'encoding'),
    [
        (RGB, 'rgb8'),
        (np.arange(6, dtype=np.uint16).reshape(2, 3), '16UC1'),
        (np.arange(24, dtype=np.float32).reshape(2, 3, 4), '32FC4'),
    ],
)
def test_array_to_image_keeps_every_byte(make: Make, pixels: np.ndarray, encoding: str) -> None:
    header = make('std_msgs/msg/Header', frame_id='optical')
    message = array_to_image(make, pixels[:, ::-1], encoding, header)  # a view that is not contiguous
    assert (message.header, message.encoding, message.height, message.width) == (header, encoding, 2, 3)
    assert message.step * 2 == len(message.data) == pixels.nbytes
    read = np.frombuffer(message.data, pixels.dtype).reshape(pixels.shape)
    assert (read == pixels[:, ::-1]).all()
