"""Lifecycle: what is loaded, subscribed and freed when, and what a failure says."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEngine
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import TransitionCallbackReturn

from dense_descriptor_ros.errors import CheckpointError, DenseDescriptorError
from dense_descriptor_ros.runtime import Runtime


def subscribed(rig: Any) -> set[str]:
    names = {subscription.topic_name.split('/')[-1] for subscription in rig.node.subscriptions}
    return names & set(rig.publishers)


def call(rig: Any, service: type, name: str, request: Any) -> Any:
    client = rig.peer.create_client(service, f'perception/{name}')
    rig.until(client.service_is_ready)
    future = client.call_async(request)
    rig.until(future.done)
    return future.result()


def test_whole_life_by_services_of_another_node(rig: Any) -> None:
    steps = [
        (Transition.TRANSITION_CONFIGURE, 'inactive'),
        (Transition.TRANSITION_ACTIVATE, 'active'),
        (Transition.TRANSITION_DEACTIVATE, 'inactive'),
        (Transition.TRANSITION_ACTIVATE, 'active'),
        (Transition.TRANSITION_DEACTIVATE, 'inactive'),
        (Transition.TRANSITION_CLEANUP, 'unconfigured'),
        (Transition.TRANSITION_CONFIGURE, 'inactive'),
        (Transition.TRANSITION_INACTIVE_SHUTDOWN, 'finalized'),
    ]
    for transition, label in steps:
        request = ChangeState.Request(transition=Transition(id=transition))
        assert call(rig, ChangeState, 'change_state', request).success
        assert call(rig, GetState, 'get_state', GetState.Request()).current_state.label == label
        assert subscribed(rig) == (set(rig.publishers) if label == 'active' else set())


def test_configure_loads_the_given_model_and_warms_up(rig: Any) -> None:
    rig.node.set_parameters(
        [rig.parameter('model_path', '/models/mug.safetensors'), rig.parameter('device', 'cpu')]
    )
    assert rig.node.trigger_configure() is TransitionCallbackReturn.SUCCESS
    assert rig.loaded == [(Path('/models/mug.safetensors'), Runtime('cpu'))]
    assert len(rig.engine.calls) == 1


def test_empty_path_takes_the_shipped_model(rig: Any) -> None:
    rig.node.trigger_configure()
    assert rig.loaded == [(None, Runtime())]


@pytest.mark.parametrize('error', [CheckpointError('file is truncated'), RuntimeError('no memory')])
def test_bad_model_keeps_the_node_unconfigured_and_says_why(rig: Any, error: Exception) -> None:
    rig.load_error = error
    assert rig.node.trigger_configure() is TransitionCallbackReturn.FAILURE
    assert rig.node.state == 'unconfigured'
    assert str(error) in rig.node.statistics.snapshot().last_error
    rig.load_error = None
    rig.start('acf_poses')
    rig.result()


def test_start_raises_the_reason(rig: Any) -> None:
    rig.load_error = CheckpointError('mug.safetensors is truncated')
    with pytest.raises(DenseDescriptorError, match='truncated'):
        rig.node.start()


def test_cleanup_frees_the_engine(rig: Any) -> None:
    rig.node.start()
    engine = weakref.ref(rig.engine)
    rig.engine = FakeEngine()
    rig.node.trigger_deactivate()
    gc.collect()
    assert engine() is not None
    rig.node.trigger_cleanup()
    gc.collect()
    assert engine() is None


def test_deactivate_publishes_what_was_begun(rig: Any) -> None:
    rig.start('acf_poses')
    rig.engine.started.clear()
    rig.engine.go.clear()
    rig.send(rig.messages())
    rig.until(rig.engine.started.is_set)
    rig.engine.go.set()
    rig.node.trigger_deactivate()
    assert rig.node.state == 'inactive'
    rig.until(lambda: rig.received['acf_poses'])


def test_a_second_activation_finds_frames_again(rig: Any) -> None:
    rig.start('acf_poses')
    rig.result()
    rig.node.trigger_deactivate()
    rig.node.trigger_activate()
    rig.match()
    rig.result()
