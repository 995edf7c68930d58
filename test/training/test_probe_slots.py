import frozen_views as known
import numpy as np
import pytest
import torch
from scipy.special import comb

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.probes.slot_baselines import (
    clusters,
    colour_kmeans,
    feature_kmeans,
    one_hot,
    stripes,
)
from dense_descriptor_ros.training.probes.slots import matched_iou, probe, score

SIDE_BY_SIDE = torch.tensor([[1] * 8 + [2] * 8] * 16)
STACKED = SIDE_BY_SIDE.T


def truth_as_slots(view):
    return one_hot(torch.from_numpy(view.instances), 5)


def striped(slots):
    return one_hot((torch.arange(16) * slots // 16).expand(16, 16), slots)


def test_perfect_masks_have_figures_of_one():
    figures = probe(known.views(known.noise, 3), truth_as_slots)
    assert figures == {
        'fg_ari': 1.0, 'iou': 1.0, 'iou_with_background': 1.0, 'images': 3.0, 'images_left_out': 0.0
    }  # fmt: skip


def test_figures_do_not_depend_on_the_order_of_slots():
    masks = torch.rand(2, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    instances = torch.stack([SIDE_BY_SIDE, STACKED])
    for first, second in zip(score(masks, instances), score(masks.flip(1), instances), strict=True):
        assert first == pytest.approx(second, nan_ok=True)


def test_two_stripes_are_two_objects_side_by_side():
    result = score(striped(2)[None], SIDE_BY_SIDE[None])[0]
    assert (result.ari, result.iou) == (1.0, 1.0)


def rand_index_of_independent_halves(n):
    """Hubert and Arabie's formula for two halves across two halves of n cells."""
    together, of_halves, pairs = 4 * comb(n / 4, 2), 2 * comb(n / 2, 2), comb(n, 2)
    expected = of_halves**2 / pairs
    return (together - expected) / (of_halves - expected)


def test_stripes_across_two_objects_know_nothing_of_them():
    result = score(striped(2)[None], STACKED[None])[0]
    assert result.ari == pytest.approx(rand_index_of_independent_halves(256))
    assert abs(result.ari) < 0.01
    assert result.iou == pytest.approx(1 / 3)  # a quarter shared of three quarters


def test_four_stripes_split_two_objects_in_halves():
    result = score(striped(4)[None], SIDE_BY_SIDE[None])[0]
    together, truth, pairs = 4 * comb(64, 2), 2 * comb(128, 2), comb(256, 2)
    expected = together * truth / pairs
    assert result.ari == pytest.approx((together - expected) / ((together + truth) / 2 - expected))
    assert result.iou == 0.5


def test_background_does_not_count_in_the_foreground_index():
    instances = SIDE_BY_SIDE.clone()
    instances[:, [0, 1, 14, 15]] = 0
    assert score(striped(2)[None], instances[None])[0].ari == 1


def test_an_image_with_one_object_is_left_out_and_counted():
    views = known.views(known.noise, 2)
    views[1].image.instances[views[1].image.instances == 2] = 0
    figures = probe(views, truth_as_slots)
    assert (figures['images'], figures['images_left_out'], figures['fg_ari']) == (1, 1, 1)
    assert figures['iou'] == 1


def test_only_images_without_objects_have_no_figure():
    result = score(striped(2)[None], torch.zeros(1, 16, 16, dtype=torch.int64))[0]
    assert np.isnan([result.ari, result.iou]).all()
    assert result.iou_with_background == 0.5


def test_an_object_of_few_cells_is_neither_expected_nor_punished():
    instances = SIDE_BY_SIDE.clone()
    instances[0, :3] = 3
    assert score(striped(2)[None], instances[None])[0][:2] == (1, 1)


def test_a_segment_without_a_slot_counts_as_missed():
    truth = np.repeat([1, 2, 3], 10)
    slot = np.repeat([0, 1, 1], 10)
    assert matched_iou(slot, truth, np.array([1, 2, 3]), 2) == pytest.approx((1 + 0.5 + 0) / 3)


def test_pairing_takes_the_largest_sum_not_the_first_best():
    # Object 1 overlaps slot 0 most (10 of 19), but then object 2 would have nothing.
    truth = np.array([1] * 18 + [2])
    slot = np.array([0] * 10 + [1] * 8 + [0])
    assert matched_iou(slot, truth, np.array([1, 2]), 2) == pytest.approx((8 / 18 + 1 / 11) / 2)


def test_masks_of_another_resolution_are_enlarged():
    coarse = torch.nn.functional.avg_pool2d(striped(2)[None], 4)
    assert score(coarse, SIDE_BY_SIDE[None])[0].ari == 1


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r'\(2, 16, 16\).*expected \(B, S, h, w\)'):
        score(striped(2), SIDE_BY_SIDE[None])


def coloured_view():
    """Red and blue halves, with descriptors that tell top from bottom."""
    descriptors = np.zeros((2, 16, 16))
    descriptors[0, :8], descriptors[1, 8:] = 1, 1
    view = known.frozen_view(0, np.full((16, 16), 2), SIDE_BY_SIDE.numpy(), {1: 1, 2: 2}, descriptors)
    view.image.rgb[:, :32], view.image.rgb[:, 32:] = (255, 0, 0), (0, 0, 255)
    return view


def test_clusters_of_colours_see_colours_and_clusters_of_features_see_features():
    assert probe([coloured_view()], colour_kmeans(2))['fg_ari'] == 1
    assert probe([coloured_view()], stripes(2))['fg_ari'] == 1
    assert probe([coloured_view()], feature_kmeans(2))['fg_ari'] < 0.01


def test_every_baseline_gives_one_slot_a_cell():
    view = known.views(known.noise, 1)[0]
    for masks in (stripes(3), colour_kmeans(3), feature_kmeans(3)):
        first = masks(view)
        assert first.shape == (3, 24, 40)
        assert (first.sum(0) == 1).all()
        assert torch.equal(first, masks(view))


def test_a_collapsed_representation_fills_one_slot():
    assert clusters(np.ones((4, 6, 3)), slots=3, seed=0).sum((1, 2)).tolist() == [24, 0, 0]
