"""Services and what changes between two frames: enable, reload, the rate, the range of depth, identities."""

import time
from typing import Any

import numpy as np
import pytest
from conftest import FakeEngine
from std_srvs.srv import SetBool, Trigger

from dense_descriptor_ros.errors import CheckpointError
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.runtime import Runtime


def call(rig: Any, service: type, name: str, **fields: Any) -> Any:
    client = rig.peer.create_client(service, f'perception/{name}')
    rig.until(client.service_is_ready)
    future = client.call_async(service.Request(**fields))
    rig.until(future.done)
    return future.result()


def test_a_disabled_node_rests_and_says_so(rig: Any) -> None:
    rig.start('acf_poses')
    response = call(rig, SetBool, 'enable', data=False)
    assert (response.success, response.message) == (True, 'disabled')
    calls = len(rig.engine.calls)
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.DISABLED))
    assert len(rig.engine.calls) == calls
    rig.until(lambda: rig.diagnostics() and rig.diagnostics()[-1].message == 'active, disabled')
    assert call(rig, SetBool, 'enable', data=True).message == 'enabled'
    rig.result()


def test_reload_takes_the_present_settings_without_a_pause(rig: Any) -> None:
    rig.start('acf_poses')
    former = rig.engine
    rig.engine = FakeEngine()
    rig.node.set_parameters([rig.parameter('device', 'cpu'), rig.parameter('precision', 'float32')])
    response = call(rig, Trigger, 'reload_model')
    assert (response.success, response.message) == (True, 'loaded')
    assert rig.loaded[-1] == (None, Runtime('cpu', 'auto', 'float32'))
    calls = len(former.calls)
    rig.result()
    assert len(former.calls) == calls
    assert len(rig.engine.calls) == 2  # warm-up and frame


def test_a_bad_model_leaves_the_former_one(rig: Any) -> None:
    rig.start('acf_poses')
    rig.load_error = CheckpointError('mug.safetensors is no checkpoint')
    response = call(rig, Trigger, 'reload_model')
    assert not response.success
    assert response.message == 'mug.safetensors is no checkpoint; the former model stays'
    rig.result()


def test_reload_before_configure_is_refused(rig: Any) -> None:
    response = call(rig, Trigger, 'reload_model')
    assert not response.success and 'unconfigured' in response.message


def test_at_most_so_many_frames_a_second(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('max_rate', 10.0)])
    rig.start('acf_poses')
    start_s = time.monotonic()
    while (passed_s := time.monotonic() - start_s) < 1.0:
        rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.RATE_LIMIT))
    frames = len(rig.engine.calls) - 1  # the first is the warm-up
    assert 3 <= frames <= 10 * passed_s + 2
    assert rig.drops[Drop.RATE_LIMIT] > frames


def test_depth_out_of_range_is_unknown(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('min_depth', 0.5), rig.parameter('max_depth', 2.0)])
    rig.start('acf_poses')
    messages = rig.messages()
    depth = np.full((48, 64), 1500, np.uint16)
    depth[0, :3] = [499, 2001, 2000]
    messages['depth'].data = type(messages['depth'].data)('B', depth.tobytes())
    rig.send(messages)
    rig.until(lambda: rig.received['acf_poses'])
    seen = rig.engine.calls[-1][1]
    np.testing.assert_allclose(seen[0, :4], [0, 0, 2.0, 1.5])


def test_depth_in_other_units(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('depth_scale', 0.0001)])  # a tenth of a millimetre
    rig.start('acf_poses')
    rig.result()
    np.testing.assert_allclose(rig.engine.calls[-1][1], 0.15, rtol=1e-6)


def test_identities_stay_and_age(rig: Any) -> None:
    rig.start('acf_poses')
    first, second = rig.result(), rig.result()
    ids = [frame.instance_id for frame in first.frames]
    assert [frame.instance_id for frame in second.frames] == ids
    assert {frame.age.nanosec for frame in first.frames} == {0}
    ages = [frame.age.sec + 1e-9 * frame.age.nanosec for frame in second.frames]
    assert ages == [pytest.approx(0.1, abs=1e-6)] * 3


def test_without_tracking_objects_count_from_zero(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('tracking', False)])
    rig.start('acf_poses')
    assert [frame.instance_id for frame in rig.result().frames] == [0, 0, 1]


def test_overlay_can_be_switched_off(rig: Any) -> None:
    rig.node.set_parameters([rig.parameter('overlay', False)])
    rig.start('acf_poses', 'overlay')
    rig.result()
    rig.result()
    assert not rig.received['overlay']


def test_memory_that_does_not_suffice_is_told(rig: Any) -> None:
    rig.start('acf_poses')
    rig.engine.error = MemoryError('cuda:0 is full')
    rig.send(rig.messages())
    rig.until(lambda: rig.drops.get(Drop.OUT_OF_MEMORY))
    assert 'cuda:0 is full' in rig.node.statistics.snapshot().last_error
    rig.engine.error = None
    rig.result()


def test_every_image_is_accounted_for(rig: Any) -> None:
    """Paired, superseded, bad, waiting for depth: processed and dropped are what was received."""
    rig.start('acf_poses')
    rig.result()
    rig.engine.started.clear()
    rig.engine.go.clear()
    for _ in range(3):
        rig.send(rig.messages())
    bad = rig.messages()
    bad['image'].encoding = 'yuv422'
    rig.send(bad)
    rig.send({'image': rig.messages()['image']})
    rig.engine.go.set()
    rig.node.trigger_deactivate()
    snapshot = rig.node.statistics.snapshot()
    assert snapshot.received['image'] == 6
    assert snapshot.processed + snapshot.dropped_images == 6
    assert snapshot.drops[Drop.IMAGE_UNPAIRED] == 1
