"""Settings of the generator."""

import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.sim.settings import MOST_SCENES, SPLITS, SceneSettings


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('split', 'dev'),
        ('seed', -1),
        ('views', 0),
        ('renderer', 'vulkan'),
        ('height', 8),
        ('width', 8),
        ('mugs', (0, 2)),
        ('mugs', (3, 1)),
        ('mugs', (1, 10)),
        ('distractors', (2, 1)),
        ('rgb_noise', -1.0),
        ('without', ('mugs',)),
    ],
)
def test_a_value_outside_its_range_is_named(name, value):
    with pytest.raises(ConfigError, match=f'^{name} is'):
        SceneSettings(**{name: value})


def test_plain_values_make_the_same_settings_again():
    settings = SceneSettings(split='val', seed=3, mugs=(2, 3), without=('poses',))
    assert SceneSettings.from_dict(settings.to_dict()) == settings


def test_an_unknown_or_missing_value_is_an_error():
    values = SceneSettings().to_dict()
    with pytest.raises(ConfigError, match='nonsense'):
        SceneSettings.from_dict({**values, 'nonsense': 1})
    del values['mugs']
    with pytest.raises(ConfigError, match='mugs'):
        SceneSettings.from_dict(values)


def test_object_numbers_are_positive_and_unique_over_scenes_and_splits():
    numbers = [
        SceneSettings(split=split).object_id(scene, mug)
        for split in SPLITS
        for scene in (0, 1, MOST_SCENES - 1)
        for mug in range(9)
    ]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) == 1
