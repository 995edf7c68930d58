"""Compressed images over DDS, and raw ones through a cv_bridge where there is one."""

import array
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import HEIGHT, WIDTH, Rig
from sensor_msgs.msg import CompressedImage, Image

from dense_descriptor_ros.ros import node
from dense_descriptor_ros.ros.drops import Drop


@pytest.fixture
def rig() -> Any:
    """Subscribed to compressed topics, beside which raw ones exist."""
    rig = Rig(image_transport='compressed', depth_transport='compressedDepth')
    for name, transport in (('image', 'compressed'), ('depth', 'compressedDepth')):
        rig.publishers[name] = rig.peer.create_publisher(CompressedImage, f'{name}/{transport}', 10)
    rig.start('acf_poses')
    yield rig
    rig.close()


def compressed(raw: Image, form: str, data: bytes) -> CompressedImage:
    return CompressedImage(header=raw.header, format=form, data=array.array('B', data))


def messages(rig: Any) -> dict[str, Any]:
    """A frame whose left half is red, at 1.5 m."""
    made = rig.messages()
    bgr = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    bgr[:, : WIDTH // 2, 2] = 200
    jpeg = cv2.imencode('.jpg', bgr)[1].tobytes()
    png = cv2.imencode('.png', np.full((HEIGHT, WIDTH), 1500, np.uint16))[1].tobytes()
    made['image'] = compressed(made['image'], 'rgb8; jpeg compressed bgr8', jpeg)
    head = struct.pack('<iff', 0, 0, 0)
    made['depth'] = compressed(made['depth'], '16UC1; compressedDepth png', head + png)
    return made


def test_the_engine_sees_what_was_compressed(rig: Any) -> None:
    rig.send(messages(rig))
    rig.until(lambda: rig.received['acf_poses'])
    rgb, depth_m, _ = rig.engine.calls[-1]
    np.testing.assert_allclose(rgb[10, 10], [200, 0, 0], atol=4)
    np.testing.assert_allclose(rgb[10, -10], [0, 0, 0], atol=4)
    np.testing.assert_allclose(depth_m, 1.5)
    assert rig.received['acf_poses'][-1].header.frame_id == 'optical'


def test_a_broken_image_is_counted_and_the_next_one_works(rig: Any) -> None:
    for name, reason in (('image', Drop.IMAGE_COMPRESSED), ('depth', Drop.DEPTH_COMPRESSED)):
        broken = messages(rig)
        broken[name].data = broken[name].data[:-20]
        rig.send(broken)
        rig.until(lambda reason=reason: rig.drops.get(reason) == 1)
    rig.send(messages(rig))
    rig.until(lambda: rig.received['acf_poses'])


def test_cv_bridge_is_used_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bridge:
        read: list[str] = []  # noqa: RUF012

        def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str) -> np.ndarray:
            self.read.append(img_msg.encoding)
            if img_msg.encoding == '16UC1':
                return np.frombuffer(img_msg.data, np.uint16).reshape(HEIGHT, WIDTH)
            return np.frombuffer(img_msg.data, np.uint8).reshape(HEIGHT, WIDTH, 3)

    monkeypatch.setattr(node, 'find_cv_bridge', lambda: (Bridge(), ''))
    rig = Rig()
    try:
        rig.start('acf_poses')
        rig.result()
        rgb, depth_m, _ = rig.engine.calls[-1]
        assert sorted(Bridge.read) == ['16UC1', 'rgb8']
        assert (rgb == (10, 20, 30)).all() and depth_m == pytest.approx(1.5)
    finally:
        rig.close()


def test_an_unusable_cv_bridge_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, 'find_cv_bridge', lambda: (None, 'cv_bridge ends the process by SIGABRT'))
    rig = Rig()
    try:
        rig.start('acf_poses')
        rig.result()
        assert 'cv_bridge ends the process by SIGABRT' in capfd.readouterr().err
    finally:
        rig.close()
