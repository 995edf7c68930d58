import math
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from univip_pictures import Pictures, objective_of

from dense_descriptor_ros import training
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.training.items.crop_pairs import draw_crop_pair
from dense_descriptor_ros.training.objectives import univip
from dense_descriptor_ros.training.objectives.univip import UnivipConfig


def test_items_are_bytes_of_fixed_shapes():
    item = objective_of().items(Pictures(), seed=0)[0]
    assert {name: (tuple(v.shape), v.dtype) for name, v in item.items()} == {
        'scenes': ((2, 3, 64, 64), torch.uint8),
        'instances': ((2, 4, 3, 32, 32), torch.uint8),
    }


def test_the_same_seed_and_position_give_the_same_item_in_any_process():
    items = objective_of().items(Pictures(), seed=3)
    torch.manual_seed(1)
    first = items[2]
    torch.manual_seed(2)
    for again in (items[2], pickle.loads(pickle.dumps(items))[2]):
        for name in first:
            assert torch.equal(first[name], again[name])
    assert not torch.equal(items[2]['scenes'], items[2 + len(items)]['scenes'])
    assert not torch.equal(items[2]['scenes'], objective_of().items(Pictures(), seed=4)[2]['scenes'])


def test_drawing_an_item_leaves_the_random_state_of_the_process():
    items = objective_of().items(Pictures(), seed=0)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    items[0]
    assert torch.equal(torch.rand(1), expected)


def test_instances_are_the_objects_of_the_instance_map(monkeypatch):
    drawn = []
    monkeypatch.setattr(univip, 'draw_crop_pair', lambda *a: drawn.append(a[2]) or draw_crop_pair(*a))
    objective_of().items(Pictures(), seed=0)[0]
    assert sorted(drawn[0].tolist()) == [
        [28, 18, 38, 28],
        [28, 32, 38, 42],
        [42, 18, 52, 28],
        [42, 32, 52, 42],
    ]


def test_auto_searches_an_image_without_instance_map_once(monkeypatch):
    searched = []
    monkeypatch.setattr(
        univip, 'selective_search', lambda rgb: searched.append(1) or np.array([[9, 9, 40, 40]])
    )
    items = objective_of().items(Pictures(labelled=False), seed=0)
    items[0], items[len(items)], items[1]
    assert len(searched) == 2
    objective_of().items(Pictures(labelled=True), seed=0)[0]
    assert len(searched) == 2
    objective_of(box_source='selective_search').items(Pictures(labelled=True), seed=0)
    assert len(searched) == 3


def test_a_source_that_cannot_give_the_boxes_is_refused_at_once():
    with pytest.raises(
        ConfigError, match="image 0 has no instance map: set it to 'selective_search' or 'auto'"
    ):
        objective_of(box_source='instances').items(Pictures(labelled=False), seed=0)
    with pytest.raises(DatasetError, match='no image'):
        objective_of().items(Pictures(count=0), seed=0)


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('box_source', 'yolo', 'selective_search'),
        ('scene_scene', -1.0, '0 or more'),
        ('instance_instance', math.nan, '0 or more'),
        ('scene_px', 100, 'multiple of 32'),
        ('instance_px', 0, 'multiple of 32'),
        ('instances', 1, 'at least 2'),
        ('hidden', 0, 'at least 1'),
        ('momentum', 1.5, '0 to 1'),
        ('mirror', -0.1, '0 to 1'),
        ('crop_scale_min', 2.0, '0 to 1'),
    ],
)
def test_a_setting_out_of_range_is_refused_with_key_value_and_what_was_expected(key, value, expected):
    with pytest.raises(ConfigError) as error:
        UnivipConfig(**{key: value})
    for part in (f'objective.{key}', str(value), expected):
        assert part in str(error.value)


def test_the_file_has_every_setting_and_its_default_and_a_rate_for_its_batch():
    path = Path(next(iter(training.__path__))) / 'config' / 'objective' / 'univip.yaml'
    text = path.read_text(encoding='utf-8')
    assert text.startswith('# @package _global_\n')
    values = yaml.safe_load(text)
    assert values['objective'] == asdict(UnivipConfig())
    optimiser = values['optimiser']
    assert optimiser['kind'] == 'sgd'
    assert optimiser['learning_rate'] == pytest.approx(0.2 * optimiser['batch'] / 512)
    assert (optimiser['momentum'], optimiser['weight_decay']) == (0.9, 1e-4)
    assert optimiser['warmup_steps'] == 4 * 5320 / optimiser['batch']
