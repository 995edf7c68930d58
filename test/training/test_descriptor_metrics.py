import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_bop import BASELINE_MM, DEPTH_MM, F_PX, SCALE, centre_px, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.geometry import pixel_grid
from dense_descriptor_ros.surface_code import REGIONS
from dense_descriptor_ros.training.metrics.descriptor_metrics import (
    Answer,
    Found,
    across_instances_metrics,
    answer,
    dimension_spread,
    mirrored,
    same_instance_metrics,
)
from dense_descriptor_ros.training.metrics.descriptor_pairs import (
    HANDLE,
    OUTSIDE,
    draw_across_instances,
    draw_same_instance,
    mug_views,
)

INSIDE = REGIONS.index('inside')


@pytest.fixture
def views(tmp_path):
    return mug_views(open_bop(write_tiny_bop(tmp_path), 'test'))


def rng():
    return np.random.default_rng(0)


def object_coordinates(view):
    """A perfect descriptor: unit vectors that only points of the same relative place on a mug share."""
    scale = SCALE if view.scene_id else 1.0
    uv = (pixel_grid(120, 160) - (centre_px(view.im_id), 60)) / (scale * 30)
    waves = np.concatenate([np.cos(uv), np.sin(uv)], -1) / np.sqrt(2)
    return waves.transpose(2, 0, 1).astype(np.float32)


def test_same_instance_pairs_are_shifted_by_the_baseline(views):
    pairs = draw_same_instance(views, rng(), 10)
    assert len(pairs) == 4  # two views of each of two scenes, in both orders
    for pair in pairs:
        shift = F_PX * BASELINE_MM / DEPTH_MM * (pair.a.view.im_id - pair.b.view.im_id)
        np.testing.assert_allclose(pair.uv_b - pair.uv_a, np.tile([shift, 0], (100, 1)), atol=1e-9)


def test_the_same_generator_draws_the_same_pairs(views):
    first, second = (draw_same_instance(views, rng(), 2) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.uv_a, b.uv_a)


def test_queries_keep_away_from_the_outline(views):
    (pair, *_) = draw_same_instance(views, rng(), 1)
    u, v = pair.uv_a.T
    half_u, half_v = (15, 12) if pair.a.view.scene_id == 0 else (30, 24)
    assert np.abs(u - centre_px(pair.a.view.im_id)).max() <= half_u - 2
    assert np.abs(v - 60).max() <= half_v - 2


def test_corresponding_points_of_an_enlarged_mug_are_enlarged(views):
    pairs = draw_across_instances(views, rng(), 6)
    assert len(pairs) == 6
    for pair in pairs:
        scale = SCALE if pair.b.view.scene_id else 1 / SCALE
        points_a = pair.a.object_points_mm(0, pair.uv_a)
        # Coordinates are compared to 0.15 of a radius, and only a third of the pixels are candidates.
        assert np.linalg.norm(points_a * scale - pair.points_b_mm, axis=1).max() < 0.15 * 80
        assert pair.diagonal_mm == pytest.approx(150 * (SCALE if pair.b.view.scene_id else 1))
        np.testing.assert_array_equal(
            pair.part_b == HANDLE, pair.points_b_mm[:, 0] > 45 * pair.diagonal_mm / 150
        )


def test_perfect_descriptors_find_every_match(views):
    same = same_instance_metrics(answer(draw_same_instance(views, rng(), 4), object_coordinates, 'test'))
    assert same['mask']['pck_3px'] == 1
    assert same['mask']['median_px'] < 1e-6
    assert same['mask']['closer_than_truth'] < 0.01
    across = across_instances_metrics(
        answer(draw_across_instances(views, rng(), 4), object_coordinates, 'test')
    )
    assert across['mask']['within_.05'] > 0.95
    assert across['mask']['handle_agrees'] > 0.9


def test_constant_descriptors_have_collapsed(views):
    def constant(view):
        return np.full((4, 30, 40), 0.5, np.float32)

    assert dimension_spread(views, constant) == (4, pytest.approx(0))
    assert dimension_spread(views, object_coordinates)[1] > 0.01


def test_same_instance_figures_by_hand(views):
    (pair, *_) = draw_same_instance(views, rng(), 1)
    # The image's diagonal is 200 pixels: errors of 0, 4, 10 and 30 pixels are 0, 2, 5 and 15 % of it.
    shift = np.repeat([0, 4, 10, 30], 25)
    uv = np.rint(pair.uv_b).astype(int) + np.stack([shift, 0 * shift], 1)
    found = Found(uv, np.repeat([0.0, 0.2], 50))
    row = same_instance_metrics([Answer(pair, found, found)])['mask']
    assert [row[f'below_{limit}'] for limit in ('0.01', '0.02', '0.05', '0.13')] == [0.25, 0.25, 0.5, 0.75]
    assert [row[f'pck_{limit}px'] for limit in (3, 5, 10)] == [0.25, 0.5, 0.75]
    assert row['mean_error'] == pytest.approx((0 + 4 + 10 + 30) / 4 / 200)
    assert row['median_px'] == pytest.approx(7)
    assert row['closer_than_truth'] == pytest.approx(0.1)


def across_answer(views, uv_shift):
    pair = next(p for p in draw_across_instances(views, rng(), 9) if p.b.view.scene_id == 0)
    found = Found(pair.uv_b + uv_shift, None)
    return Answer(pair, found, found)


@pytest.mark.parametrize(('rows', 'error_mm'), [(0, 0), (1, 5), (2, 10), (3, 15)])
def test_across_instances_figures_by_hand(views, rows, error_mm):
    # A pixel is 1000 / 200 = 5 mm wide, the mug 150 mm.
    result = across_instances_metrics([across_answer(views, [0, rows])])
    assert result['full']['median'] == pytest.approx(error_mm / 150)
    assert result['full']['within_.05'] == (error_mm <= 7.5)
    assert result['mask']['within_1cm'] == (error_mm <= 10)


def test_a_match_without_depth_is_infinitely_wrong(views):
    pair = across_answer(views, [0, 0]).pair
    nowhere = Found(np.zeros_like(pair.uv_b), None)  # depth of the first pixel is unknown
    assert across_instances_metrics([Answer(pair, nowhere, nowhere)])['full']['median'] == math.inf


@pytest.mark.parametrize(
    ('point_mm', 'part', 'found_mm', 'expected'),
    [
        ((0, 40, 0), OUTSIDE, (0, -40), [True]),
        ((0, 40, 0), OUTSIDE, (0, 40), [False]),
        ((-30, 30, 0), OUTSIDE, (-35, -35), [True]),
        ((-30, 30, 0), OUTSIDE, (-10, -40), [False]),  # more than 15 degrees from the mirror image
        ((0, 40, 0), INSIDE, (0, -40), []),
        ((40, 10, 0), OUTSIDE, (40, -10), []),  # near the handle left and right are close anyway
    ],
)
def test_mirrored_counts_the_outer_sides(views, point_mm, part, found_mm, expected):
    pair = across_answer(views, [0, 0]).pair
    centre = np.array([centre_px(pair.b.view.im_id), 60])
    found = Found(centre + np.array([found_mm]) // 5, None)
    one = replace(pair, points_b_mm=np.array([point_mm], float), part_b=np.array([part]))
    assert mirrored(Answer(one, found, found)).tolist() == expected


def test_without_pairs_there_are_no_figures():
    assert same_instance_metrics([]) == {'pairs': 0}
    assert across_instances_metrics([]) == {'pairs': 0}
