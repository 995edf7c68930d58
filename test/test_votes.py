import numpy as np
import torch
from perfect_votes import perfect_output

from dense_descriptor_ros.model import STRIDE
from dense_descriptor_ros.preprocess import network_input
from dense_descriptor_ros.votes import cast_votes, cell_pixels

H, W = 64, 96
K = np.array([[80.0, 0, 40], [0, 80, 30], [0, 0, 1]])
ORIGINS = np.array([[0.05, -0.02, 1.0], [0.1, 0.0, 0.9]])
AXES = np.array([[0, -1.0, 0], [0.6, 0, 0.8]])


def cast(output, depth_m, min_object_score=0.5):
    depth, intrinsics = torch.from_numpy(depth_m)[None], torch.from_numpy(K).float()[None]
    channels = network_input(torch.zeros(1, 3, H, W), depth, intrinsics)
    return cast_votes(output, channels, depth, intrinsics, min_object_score)


def test_perfect_output_votes_for_the_truth_from_every_cell():
    depth_m = np.random.default_rng(0).uniform(0.7, 1.3, (H, W)).astype(np.float32)
    votes = cast(perfect_output(depth_m, K, ORIGINS, AXES), depth_m)
    assert len(votes) == (H // STRIDE) * (W // STRIDE)
    np.testing.assert_allclose(votes.keypoint_m, np.broadcast_to(ORIGINS, votes.keypoint_m.shape), atol=1e-5)
    np.testing.assert_allclose(votes.axis, np.broadcast_to(AXES, votes.axis.shape), atol=1e-5)


def test_spread_is_in_metres_at_the_cells_depth():
    depth_m = np.full((H, W), 0.8, np.float32)
    votes = cast(perfect_output(depth_m, K, ORIGINS, AXES), depth_m)
    np.testing.assert_allclose(votes.spread_m, 2 * STRIDE * 0.8 / K[0, 0], rtol=1e-5)


def test_cells_without_depth_or_object_have_no_vote():
    depth_m = np.full((H, W), 1.0, np.float32)
    depth_m[:32] = 0
    output = perfect_output(depth_m + 1, K, ORIGINS, AXES)
    output.object_logit[0, :, :12] = -3
    votes = cast(output, depth_m)
    assert len(votes) == (32 // STRIDE) * (W // STRIDE - 12)


def test_a_cell_reads_depth_beside_its_centre():
    uv = cell_pixels(H, W).numpy()
    centre = (np.arange(W // STRIDE) + 0.5) * STRIDE - 0.5
    assert uv.shape == (2, H // STRIDE, W // STRIDE)
    assert np.abs(uv[0, 0] - centre).max() == 0.5


def test_points_and_normals_are_the_surface_s():
    rays = np.stack([(np.arange(W) - K[0, 2]) / K[0, 0], np.zeros(W)], 1)
    depth_m = np.broadcast_to(1 / (1 - 0.5 * rays[:, 0]), (H, W)).astype(
        np.float32
    )  # the plane z = 1 + x / 2
    votes = cast(perfect_output(depth_m, K, ORIGINS, AXES), depth_m)
    np.testing.assert_allclose(votes.point_m[:, 2], 1 + votes.point_m[:, 0] / 2, atol=1e-5)
    expected = np.array([0.5, 0, -1]) / np.linalg.norm([0.5, 0, -1])
    inner = np.abs(votes.point_m[:, 0]) < 0.3
    np.testing.assert_allclose(votes.normal[inner], np.broadcast_to(expected, (inner.sum(), 3)), atol=5e-3)
