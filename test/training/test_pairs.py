from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_bop import CY, DEPTH_MM, HALF_HEIGHT_PX, centre_px, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import STRIDE
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.augmentation.virtual_camera import virtual_camera
from dense_descriptor_ros.training.items.labels import KEYPOINT_M, view_labels
from dense_descriptor_ros.training.items.view_pairs import MAX_INSTANCES, PairConfig, ViewPairs
from dense_descriptor_ros.training.sampling import EndlessSampler, endless_batches

SIZE = PairConfig(width=96, height=64, points=64)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return open_bop(write_tiny_bop(tmp_path_factory.mktemp('bop')), 'test')


@pytest.fixture(scope='module')
def pairs(dataset):
    return ViewPairs(dataset, load_category('mug'), SIZE, AugmentationConfig(anywhere=0), seed=3)


def back_projected(K, uv):
    z = DEPTH_MM / 1000
    return np.concatenate([(uv - K[:2, 2]) / np.diag(K)[:2] * z, np.full((len(uv), 1), z)], 1)


@pytest.mark.parametrize('position', range(12))
def test_matches_are_the_same_object_point_in_both_views(pairs, position):
    item = {key: value.numpy() for key, value in pairs[position].items()}
    matched = item['matched']
    for view, uv in ((0, item['uv'][0]), (1, item['match_uv'])):
        p_virtual = back_projected(item['K'][view], uv[matched])
        # Object coordinates along the body's and the handle's axes, from the truth that comes with the item.
        axes = item['axes'][view, 0]
        along = (p_virtual - item['origins_m'][view, 0, 0]) @ axes.T
        np.testing.assert_allclose(along[:, 0], item['p_object'][matched, 2], atol=1e-4)
        np.testing.assert_allclose(along[:, 1], item['p_object'][matched, 0], atol=1e-4)


def test_some_items_have_matches(pairs):
    assert sum(int(pairs[position]['matched'].sum()) for position in range(12)) > 100


@pytest.mark.parametrize('position', range(6))
def test_keypoints_lie_on_the_object_that_the_map_shows(pairs, position):
    item = {key: value.numpy() for key, value in pairs[position].items()}
    for view in (0, 1):
        i, j = np.nonzero(item['instance_map'][view] == 1)
        assert len(i) > 3
        uvw = item['origins_m'][view, 0, 0] @ item['K'][view].T
        u, v = uvw[:2] / uvw[2] / STRIDE
        if 0 < u < SIZE.width / STRIDE and 0 < v < SIZE.height / STRIDE:
            assert np.hypot(j - u, i - v).min() < 1.5


@pytest.mark.parametrize(('rows', 'seen'), [(25, True), (24, False)])
def test_a_handle_counts_as_seen_from_25_pixels_on(dataset, rows, seen):
    # Beyond 72 mm mug 1 shows one column of 25 pixels; the crop's upper edge cuts what is over `rows`.
    model = replace(dataset.models[1], handle_x_min_m=0.072)
    narrow = replace(dataset, models={**dataset.models, 1: model})
    view = dataset.scenes[0][0]
    top_v = CY - HALF_HEIGHT_PX + (25 - rows)
    camera = virtual_camera(view.K, np.array([centre_px(0), top_v + 31.5]), 96, 64, 1.0, 0.0, False)
    labels = view_labels(narrow, view, view.depth_m(), camera, load_category('mug'))
    handle = load_category('mug').part_names.index('handle')
    assert labels.on_part[handle].sum() == rows
    assert labels.visible[0].tolist() == [True, seen, True]


def test_crops_anywhere_may_show_nothing(dataset):
    anywhere = ViewPairs(dataset, load_category('mug'), SIZE, AugmentationConfig(anywhere=1.0), 0)
    items = [anywhere[position] for position in range(30)]
    shows_nothing = [item for item in items if not (item['instance_map'] > 0).any()]
    assert 0 < len(shows_nothing) < 30
    assert not any(item['matched'].any() or item['owner'].any() for item in shows_nothing)


def test_the_same_position_gives_the_same_item_and_another_another(pairs):
    first, again, other = pairs[1], pairs[1], pairs[1 + len(pairs)]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['rgb'], other['rgb'])


def test_a_data_set_without_the_category_is_refused(dataset):
    with pytest.raises(DatasetError, match='no image shows a mug'):
        ViewPairs(replace(dataset, models={}), load_category('mug'), SIZE, AugmentationConfig(), 0)


@pytest.mark.parametrize('width', [0, 100, -32])
def test_crops_are_whole_cells(width):
    with pytest.raises(ConfigError, match=f'crop width is {width}'):
        PairConfig(width=width)


@pytest.mark.parametrize(('name', 'value'), [('mirror', 1.5), ('zoom_min', 0.0), ('zoom_min', 9.0)])
def test_augmentation_out_of_range_is_refused(name, value):
    with pytest.raises(ConfigError, match='augmentation'):
        AugmentationConfig(**{name: value})


def take(sampler, count):
    iterator = iter(sampler)
    return [next(iterator) for _ in range(count)]


def test_each_epoch_has_every_item_once_in_another_order():
    positions = take(EndlessSampler(10, seed=0, start=0), 30)
    epochs = [[p % 10 for p in positions[k : k + 10]] for k in (0, 10, 20)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert epochs[0] != epochs[1]
    assert len(set(positions)) == 30


def test_a_resumed_stream_goes_on_where_it_was():
    whole = take(EndlessSampler(7, seed=2, start=0), 30)
    assert take(EndlessSampler(7, seed=2, start=17), 13) == whole[17:]


@pytest.mark.parametrize('workers', [0, 1])
def test_batches_do_not_depend_on_the_number_of_workers(pairs, workers):
    batch = next(iter(endless_batches(pairs, 2, seed=5, first=1, workers=workers)))
    positions = take(EndlessSampler(len(pairs), 5, 2), 2)
    assert torch.equal(batch['rgb'], torch.stack([pairs[p]['rgb'] for p in positions]))


@pytest.mark.parametrize('workers', [0, 1])
def test_a_damaged_image_is_named_without_a_trace(tmp_path, workers):
    root = write_tiny_bop(tmp_path)
    for path in root.glob('test/*/rgb/*.png'):
        path.write_bytes(path.read_bytes()[:40])
    broken = ViewPairs(open_bop(root, 'test'), load_category('mug'), SIZE, AugmentationConfig(), 0)
    with pytest.raises(DatasetError, match=r'^/.*\.png: cannot be decoded') as caught:
        next(endless_batches(broken, 2, seed=0, first=0, workers=workers))
    assert 'Traceback' not in str(caught.value)


def crowded(dataset, count):
    """The data set with `count` copies of its mug in each image."""
    scenes = {
        scene_id: tuple(replace(view, instances=view.instances * count) for view in views)
        for scene_id, views in dataset.scenes.items()
    }
    return replace(dataset, scenes=scenes)


def test_a_batch_holds_every_instance_that_its_map_numbers(dataset):
    full = ViewPairs(crowded(dataset, MAX_INSTANCES), load_category('mug'), SIZE, AugmentationConfig(), 0)
    assert int(full[0]['instance_map'].max()) == full[0]['visible'].shape[1] == MAX_INSTANCES
    with pytest.raises(DatasetError, match=f'{MAX_INSTANCES + 1} objects, expected at most {MAX_INSTANCES}'):
        ViewPairs(crowded(dataset, MAX_INSTANCES + 1), load_category('mug'), SIZE, AugmentationConfig(), 0)


def test_heat_map_labels_are_spots_at_the_keypoints(dataset):
    view = dataset.scenes[0][0]
    camera = virtual_camera(view.K, np.array([80.0, 60.0]), 160, 128, 1.0, 0.0, False)
    labels = view_labels(dataset, view, view.depth_m(), camera, load_category('mug'), 'keypoint')
    for part, origin in enumerate(labels.origins_m[0]):
        v, u = np.nonzero(labels.on_part[part])
        if len(u):
            uv = (camera.K @ origin)[:2] / origin[2]
            assert np.hypot(u - uv[0], v - uv[1]).max() < KEYPOINT_M * camera.K[0, 0] / origin[2]
    assert labels.on_part[0].sum() < (labels.instance_map > 0).sum()
    with pytest.raises(ConfigError, match='parts_by'):
        PairConfig(parts_by='nothing')
