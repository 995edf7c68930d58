"""Parameters: declared from the settings, ranges held, changes applied or refused with a reason."""

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
        ('sync_slop_s', -1.0),
        ('max_frame_age_s', -1.0),
        ('watchdog_s', 1e9),
        ('device', 'tpu'),
        ('device', 'cuda:x'),
    ],
)
def test_out_of_range_is_refused_with_a_reason(rig: Any, name: str, value: Any) -> None:
    successful, reason = change(rig, name, value)
    assert not successful
    assert name in reason
    assert rig.node.get_parameter(name).value == getattr(PerceptionSettings(), name)


@pytest.mark.parametrize(('name', 'value'), [('model_path', '/other'), ('device', 'cpu')])
def test_model_changes_only_while_unconfigured(rig: Any, name: str, value: str) -> None:
    rig.node.trigger_configure()
    successful, reason = change(rig, name, value)
    assert not successful and 'clean up' in reason
    rig.node.trigger_cleanup()
    assert change(rig, name, value) == (True, '')


def test_autostart_cannot_change(rig: Any) -> None:
    successful, reason = change(rig, 'autostart', True)
    assert not successful and 'read-only' in reason


@pytest.mark.parametrize('values', [{'score_threshold': 2.0}, {'max_instances': 0}, {'device': 'gpu'}])
def test_settings_validate_themselves(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f'{next(iter(values))} is'):
        PerceptionSettings(**values)
