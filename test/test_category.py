import json

import pytest

from dense_descriptor_ros.category import Category, load_category
from dense_descriptor_ros.errors import ConfigError


def test_the_mug_s_frames():
    mug = load_category('mug')
    assert mug.part_names == ['body', 'handle', 'opening']
    assert [part.axis for part in mug.parts] == [(0, 0, 1), (1, 0, 0), (0, 0, 1)]
    for part in mug.parts:
        assert sum(a * b for a, b in zip(part.axis, part.second_axis, strict=True)) == 0
        # The second axis is read off the axis of the part that it needs.
        needed = mug.parts[mug.part_names.index(part.second_axis_needs)]
        assert needed.axis == part.second_axis


def test_a_category_survives_json():
    mug = load_category('mug')
    assert Category.from_dict(json.loads(json.dumps(mug.to_dict()))) == mug


def test_an_unknown_category_names_the_known():
    with pytest.raises(ConfigError, match=r"unknown category 'spoon': expected one of \['mug'\]"):
        load_category('spoon')


@pytest.mark.parametrize(
    'change',
    [
        {'parts': []},
        {'parts': 'abc'},
        {'name': None, 'parts': [{'name': 'a'}]},
    ],
)
def test_definitions_that_do_not_fit_are_refused(change):
    with pytest.raises(ConfigError):
        Category.from_dict({**load_category('mug').to_dict(), **change})


def test_a_hallmark_is_one_of_the_parts():
    assert load_category('mug').hallmark == 'handle'
    with pytest.raises(ConfigError, match="hallmark 'spout'"):
        Category.from_dict({**load_category('mug').to_dict(), 'hallmark': 'spout'})


def test_a_part_that_needs_an_unknown_one_is_refused():
    values = load_category('mug').to_dict()
    values['parts'][0]['second_axis_needs'] = 'spout'
    with pytest.raises(ConfigError, match='spout'):
        Category.from_dict(values)


def test_only_a_part_on_the_axis_is_at_its_end():
    values = load_category('mug').to_dict()
    values['parts'][1]['at_end'] = True
    with pytest.raises(ConfigError, match="'handle' is at_end with revolution 'radial'"):
        Category.from_dict(values)
