"""Parameters: declared from the settings, ranges held, changes applied or refused with a reason."""

import sys
from dataclasses import fields
from typing import Any

import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.ros.settings import PerceptionSettings


def change(rig: Any, name: str, value: Any) -> tuple[bool, str]:
    (result,) = rig.node.set_parameters([rig.parameter(name, value)])
    return result.successful, result.reason


def test_every_setting_is_a_described_parameter(rig: Any) -> None:
    for spec in fields(PerceptionSettings):
        assert rig.node.get_parameter(spec.name).value == spec.default
        descriptor = rig.node.describe_parameter(spec.name)
        assert descriptor.description.startswith(spec.metadata['description'])
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
            assert (ranges[0].from_value, ranges[0].to_value) == (spec.metadata['low'], spec.metadata['high'])


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('score_threshold', 1.5),
        ('score_threshold', -0.1),
        ('max_instances', 0),
        ('sync_slop', -1.0),
        ('max_frame_age', -1.0),
        ('silence_timeout', 1e9),
        ('min_depth', 20.0),
        ('precision', 'float8'),
        ('engine', 'abacus'),
        ('image_transport', 'theora'),
        ('device', 'tpu'),
        ('device', 'cuda:x'),
    ],
)
def test_out_of_range_is_refused_with_a_reason(rig: Any, name: str, value: Any) -> None:
    successful, reason = change(rig, name, value)
    assert not successful
    assert name in reason
    assert rig.node.get_parameter(name).value == getattr(PerceptionSettings(), name)


@pytest.mark.parametrize(
    ('name', 'value'), [('image_transport', 'compressed'), ('depth_transport', 'compressedDepth')]
)
def test_topics_change_only_while_inactive(rig: Any, name: str, value: str) -> None:
    rig.node.start()
    successful, reason = change(rig, name, value)
    assert not successful and 'deactivate' in reason
    rig.node.trigger_deactivate()
    assert change(rig, name, value) == (True, '')


def test_smoothing_without_tracking_is_refused(rig: Any) -> None:
    assert change(rig, 'tracking', False) == (True, '')
    successful, reason = change(rig, 'smoothing', 0.5)
    assert not successful and 'without tracking' in reason


@pytest.mark.parametrize(('name', 'value'), [('publish_tf', True), ('target_frame', 'base_link')])
def test_tf_without_tf2_is_refused(rig: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    successful, reason = change(rig, name, value)
    assert not successful and reason.startswith(f'{name}: needs tf2_ros')
    assert not rig.node.get_parameter(name).value


def test_choices_are_described(rig: Any) -> None:
    constraints = rig.node.describe_parameter('precision').additional_constraints
    assert constraints == 'One of auto, float32, bfloat16, float16.'


def test_autostart_cannot_change(rig: Any) -> None:
    successful, reason = change(rig, 'autostart', True)
    assert not successful and 'read-only' in reason


@pytest.mark.parametrize('values', [{'score_threshold': 2.0}, {'max_instances': 0}, {'device': 'gpu'}])
def test_settings_validate_themselves(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f'{next(iter(values))} is'):
        PerceptionSettings(**values)
