"""What comes out: only what is listened to, with the image's stamp and frame, and the newest frame first."""

from typing import Any

import numpy as np
import pytest
from conftest import OUTPUT_TYPES, true_frames

from dense_descriptor_ros.ros import topics
from dense_descriptor_ros.ros.drops import Drop


@pytest.mark.parametrize('name', [name for name in OUTPUT_TYPES if name != 'markers'])
def test_outputs_carry_stamp_and_frame_of_the_image(rig: Any, name: str) -> None:
    rig.start(name)
    message = rig.result(name)
    assert message.header.frame_id == 'optical'
    assert message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec == pytest.approx(rig.time_s)


def test_frames_below_the_threshold_are_left_out(rig: Any) -> None:
    rig.start('acf_poses')
    message = rig.result()
    expected = [frame for frame in true_frames() if frame.score >= 0.5]
    found = [(frame.instance_id, frame.part) for frame in message.frames]
    assert found == [(frame.instance, frame.part) for frame in expected]
    assert message.processing_time.nanosec == 250_000_000
    rig.node.set_parameters([rig.parameter('score_threshold', 0.65)])
    assert [frame.part for frame in rig.result().frames] == ['body', 'body']
    rig.node.set_parameters([rig.parameter('max_instances', 1)])
    assert [frame.instance_id for frame in rig.result().frames] == [0]


def test_engine_sees_rgb_metres_and_intrinsics(rig: Any) -> None:
    rig.start('acf_poses')
    rig.result()
    rgb, depth_m, K = rig.engine.calls[-1]
    assert rgb.shape == (48, 64, 3) and (rgb == (10, 20, 30)).all()
    assert depth_m.dtype == np.float32 and depth_m == pytest.approx(1.5)
    assert K.tolist() == [[50, 0, 32], [0, 50, 24], [0, 0, 1]]


def test_descriptors_are_cells_of_d_floats(rig: Any) -> None:
    rig.start('descriptors')
    message = rig.result('descriptors')
    assert (message.encoding, message.height, message.width, message.step) == ('32FC4', 12, 16, 16 * 16)
    cells = np.frombuffer(message.data, np.float32).reshape(12, 16, 4)
    assert cells[0, 0].tolist() == [0, 1, 0, 0] and cells[0, 1].tolist() == [0, 0, 1, 0]


def test_nothing_is_inferred_when_nobody_listens(rig: Any) -> None:
    rig.start()
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.NO_LISTENER) == 1)
    assert len(rig.engine.calls) == 1  # the warm-up


def test_only_what_is_listened_to_is_built(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError('drawn for nobody')

    monkeypatch.setattr(topics, 'draw_frames', fail)
    monkeypatch.setattr(topics, 'descriptors_to_rgb', fail)
    rig.start('poses')
    assert len(rig.result('poses').poses) == 3
    assert Drop.FAILURE not in rig.drops


def test_newest_frame_wins(rig: Any) -> None:
    rig.start('acf_poses')
    rig.engine.started.clear()
    rig.engine.go.clear()
    rig.send(rig.messages())
    rig.until(rig.engine.started.is_set)
    for _ in range(3):
        rig.send(rig.messages())
    rig.engine.go.set()
    rig.until(lambda: len(rig.received['acf_poses']) == 2)
    assert rig.drops[Drop.SUPERSEDED] == 2
    newest = rig.received['acf_poses'][-1].header.stamp
    assert newest.sec + 1e-9 * newest.nanosec == pytest.approx(rig.time_s)


def test_old_frames_are_skipped_when_asked(rig: Any) -> None:
    rig.start('acf_poses')
    rig.result()  # stamps of this test are decades old; 0 never skips
    rig.node.set_parameters([rig.parameter('max_frame_age', 1.0)])
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.TOO_OLD) == 1)
    rig.time_s = rig.node.get_clock().now().nanoseconds * 1e-9
    rig.result()
