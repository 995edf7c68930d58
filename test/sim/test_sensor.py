"""Sensor noise."""

import numpy as np

from dense_descriptor_ros.sim.sensor import noisy_depth, noisy_rgb


def test_a_flat_wall_keeps_its_distance_on_average():
    depth = noisy_depth(np.random.default_rng(0), np.full((120, 160), 0.8, np.float32), fx=600)
    assert abs(depth[depth > 0].mean() - 0.8) < 2e-3
    assert (depth == 0).mean() < 0.01


def test_noise_grows_with_distance():
    near, far = (
        noisy_depth(np.random.default_rng(0), np.full((120, 160), z, np.float32), fx=600) for z in (0.5, 2.0)
    )
    assert far[far > 0].std() > 3 * near[near > 0].std()


def test_depth_is_lost_beside_an_edge_and_where_there_is_none():
    exact = np.full((120, 160), 0.6, np.float32)
    exact[:, 80:] = 1.5
    exact[:20] = 0
    depth = noisy_depth(np.random.default_rng(0), exact, fx=600)
    assert (depth[40:, 79:81] == 0).mean() > 0.5
    assert (depth[:19] == 0).all()


def test_without_noise_colours_only_change_by_one_curve():
    rgb = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    out = noisy_rgb(np.random.default_rng(0), rgb, largest_std=0)
    order = np.argsort(rgb.ravel())
    assert (np.diff(out.ravel()[order].astype(int)) >= 0).all()
