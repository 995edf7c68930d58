import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.items.point_sampling import (
    CLUSTERS,
    depth_clusters,
    draw_pixels,
    point_regions,
)
from dense_descriptor_ros.training.sources.image import LabelledImage, guessed_intrinsics

K = guessed_intrinsics(48, 64)


def image(depth_m, instances=None):
    return LabelledImage(np.zeros((48, 64, 3), np.uint8), depth_m.astype(np.float32), K, instances)


def test_what_lies_far_behind_a_thing_is_in_another_cluster():
    depth_m = np.full((48, 64), 5.0)
    depth_m[10:30, 20:40] = 0.5
    near = np.zeros((48, 64), bool)
    near[10:30, 20:40] = True
    clusters = depth_clusters(depth_m, K)
    assert set(np.unique(clusters)) == set(range(1, CLUSTERS + 1))
    assert not set(np.unique(clusters[near])) & set(np.unique(clusters[~near]))


def test_clusters_are_nearest_to_their_own_centres():
    depth_m = np.random.default_rng(0).uniform(1, 2, (48, 64))
    clusters = depth_clusters(depth_m, K)
    v, u = np.nonzero(clusters)
    points = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(len(u))], 1)
    points *= depth_m[v, u, None]
    centres = np.stack([points[clusters[v, u] == c].mean(0) for c in range(1, CLUSTERS + 1)])
    nearest = 1 + np.linalg.norm(points[:, None] - centres[None], axis=-1).argmin(1)
    # The centres were fitted to fewer points than they are computed from here.
    assert (nearest == clusters[v, u]).mean() > 0.95


def test_pixels_without_depth_belong_to_no_cluster():
    depth_m = np.ones((48, 64))
    depth_m[:, :10] = 0
    assert not depth_clusters(depth_m, K)[:, :10].any()
    assert depth_clusters(depth_m, K)[:, 10:].all()
    assert not depth_clusters(np.zeros((48, 64)), K).any()
    few = np.zeros((48, 64))
    few[3, 4:7] = 1
    assert sorted(depth_clusters(few, K)[3, 4:7]) == [1, 2, 3]


def test_the_same_depth_gives_the_same_clusters():
    depth_m = np.random.default_rng(0).uniform(1, 2, (48, 64))
    np.testing.assert_array_equal(depth_clusters(depth_m, K), depth_clusters(depth_m, K))


def test_regions_are_the_objects_or_the_whole_image():
    instances = np.zeros((48, 64), np.int32)
    instances[5:9, 5:9] = 3
    shown = image(np.zeros((48, 64)), instances)
    np.testing.assert_array_equal(point_regions(shown, 'mask'), instances)
    assert (point_regions(shown, 'image') == 1).all()
    assert not point_regions(shown, 'clusters').any()
    with pytest.raises(ConfigError, match=r'sampling is mask, but the images have no masks'):
        point_regions(image(np.zeros((48, 64))), 'mask')


def test_a_small_region_gives_as_many_points_as_a_large_one():
    regions = np.ones((48, 64), np.int32)
    regions[:6, :6] = 2
    regions[40:, 60:] = 0
    uv = draw_pixels(regions, 60, np.random.default_rng(0))
    drawn = regions[uv[:, 1], uv[:, 0]]
    assert (np.bincount(drawn) == [0, 30, 30]).all()
    # Any part of them is a random part: a coarse level takes the first ones.
    assert 4 <= (drawn[:20] == 2).sum() <= 16


def test_a_region_that_is_too_small_gives_all_it_has_and_others_the_rest():
    regions = np.ones((48, 64), np.int32)
    regions[0, :5] = 7
    uv = draw_pixels(regions, 60, np.random.default_rng(0))
    assert (regions[uv[:, 1], uv[:, 0]] == 7).sum() == 5
    assert len(uv) == len(np.unique(uv, axis=0)) == 60


def test_no_more_points_are_drawn_than_there_are():
    regions = np.zeros((48, 64), np.int32)
    assert draw_pixels(regions, 10, np.random.default_rng(0)).shape == (0, 2)
    regions[3, 4:7] = 1
    drawn = draw_pixels(regions, 10, np.random.default_rng(0))
    assert sorted(map(tuple, drawn)) == [(4, 3), (5, 3), (6, 3)]


def test_points_spread_over_a_region():
    regions = np.ones((48, 64), np.int32)
    counts = np.zeros((48, 64))
    rng = np.random.default_rng(0)
    for _ in range(200):
        uv = draw_pixels(regions, 100, rng)
        counts[uv[:, 1], uv[:, 0]] += 1
    quarters = [counts[i : i + 24, j : j + 32].sum() for i in (0, 24) for j in (0, 32)]
    assert max(abs(q - 5000) for q in quarters) < 300  # 5 standard deviations
