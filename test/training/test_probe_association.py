from dataclasses import fields

import frozen_views as known
import numpy as np
import pytest
import torch

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.probes.association import ObjectCells, associate, object_cells, probe


def test_true_coordinates_find_the_same_place_of_another_mug():
    figures = probe(known.views(known.surface_points, 4))
    assert figures['same_part_ratio/handle'] > 3  # a quarter of a mug is handle: at most 4
    assert figures['same_part'] > 0.95
    assert figures['distance_ratio'] < 0.15


def test_random_features_find_a_random_place():
    figures = probe(known.views(known.noise, 8))
    assert figures['same_part_ratio'] == pytest.approx(1, abs=0.05)
    assert figures['same_part_ratio/handle'] == pytest.approx(1, abs=0.1)
    assert figures['distance_ratio'] == pytest.approx(1, abs=0.05)


def test_random_expectation_is_the_share_of_the_part():
    # A quarter of each mug is handle: 3/4 of the queries expect 3/4, 1/4 expect 1/4.
    figures = probe(known.views(known.noise, 4))
    assert figures['same_part_random/body'] == pytest.approx(0.75)
    assert figures['same_part_random/handle'] == pytest.approx(0.25)
    assert figures['same_part_random'] == pytest.approx(0.75**2 + 0.25**2, abs=0.01)


def test_two_cells_by_hand():
    a = ObjectCells(1, torch.eye(2), np.array([[-0.5, 0], [0.5, 0]]), np.array([2, 3]))
    swapped = ObjectCells(2, torch.eye(2).flip(0), np.array([[-0.5, 0], [0.5, 0]]), np.array([2, 3]))
    for b, hit, distance in ((a, True, 0.0), (swapped, False, 1.0)):
        found = associate(a, b, np.random.default_rng(0))
        assert found.hit.tolist() == [hit] * 2
        assert found.distance.tolist() == [distance] * 2
        assert found.hit_random.tolist() == found.distance_random.tolist() == [0.5] * 2


def test_coordinates_are_centred_on_the_box_and_scaled_by_it():
    for item in object_cells(known.views(known.noise, 1)[0]):
        np.testing.assert_allclose(item.centred.min(0), -item.centred.max(0))
        width, height = (len(np.unique(item.centred[:, axis])) for axis in (0, 1))
        np.testing.assert_allclose(item.centred.max(0), [(1 - 1 / width) / 2, (1 - 1 / height) / 2])


def test_only_the_categorys_objects_that_are_large_enough_take_part():
    view = known.views(known.noise, 1)[0]
    assert [item.obj_id for item in object_cells(view)] == [0, 1]
    del view.objects[1]
    assert [item.obj_id for item in object_cells(view)] == [1]
    view.image.instances[:, 24 * 4 :] = 0  # leaves at most four columns of cells of the other
    view.image.instances[5 * 4 :] = 0
    assert object_cells(view) == []


def test_one_instance_alone_cannot_be_associated():
    view = known.views(known.noise, 1)[0]
    view.objects[2] = view.objects[1]
    with pytest.raises(DatasetError, match='fewer than two different objects'):
        probe([view])


def test_the_same_seed_draws_the_same_pairs():
    views = known.views(known.noise, 3)
    first, second, other = (probe(views, pairs=20, seed=seed) for seed in (0, 0, 1))
    assert first == second != other


def test_descriptors_alone_decide_what_is_found():
    a, b = (object_cells(view)[0] for view in known.views(known.surface_points, 2))
    first, second = (associate(a, b, np.random.default_rng(0)) for _ in range(2))
    for field in fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    collapsed = ObjectCells(b.obj_id, b.descriptors * 0, b.centred, b.part)
    assert len(np.unique(associate(a, collapsed, np.random.default_rng(0)).hit_random)) == 2
