import numpy as np
import pytest

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.decode import VOXELS, DecodeConfig, decode, heaviest_voxels, weighted_median
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.votes import Votes

CATEGORY = load_category('mug')
AXES = np.array([[0, 0, 1.0], [1, 0, 0], [0, 0, 1]])
PARTS = np.array([[0, 0, 0], [0.06, 0, 0], [0, 0, 0.05]])


def votes_for(centres, count=80, noise_m=0.002, visible=(1.0, 1.0, 1.0), seed=0):
    """Noisy votes of `count` cells for each object centre."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.asarray(centres, float), count, 0)
    shape = (len(centres), 3)
    return Votes(
        weight=np.full(len(centres), 0.95),
        keypoint_m=centres[:, None] + PARTS + rng.normal(0, noise_m, (*shape, 3)),
        spread_m=np.full(shape, 0.004),
        axis=np.broadcast_to(AXES, (*shape, 3)).copy(),
        visible=np.broadcast_to(visible, shape).copy(),
    )


def test_two_objects_give_two_instances_with_their_parts():
    frames = decode(votes_for([[0, 0, 1], [0.1, 0, 1]]), CATEGORY, DecodeConfig())
    assert [(f.instance, f.part) for f in frames] == [(i, p) for i in (0, 1) for p in CATEGORY.part_names]
    bodies = sorted((f.origin_m for f in frames if f.part == 'body'), key=lambda o: o[0])
    np.testing.assert_allclose(bodies, [[0, 0, 1], [0.1, 0, 1]], atol=1e-3)
    for frame in frames:
        np.testing.assert_allclose(frame.axis, AXES[CATEGORY.part_names.index(frame.part)], atol=1e-6)
        assert frame.score > 0.8


def test_votes_across_a_depth_edge_do_not_move_the_keypoint():
    votes = votes_for([[0, 0, 1]])
    votes.keypoint_m[:25, 1:] += [0.0, 0.0, 0.3]
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    np.testing.assert_allclose(handle.origin_m, [0.06, 0, 1], atol=2e-3)


def test_uncertain_votes_count_less():
    votes = votes_for([[0, 0, 1]])
    votes.keypoint_m[::2, 1] += [0.02, 0, 0]
    votes.spread_m[::2, 1] = 0.1
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    assert abs(handle.origin_m[0] - 0.06) < 0.003


def test_a_hidden_handle_leaves_the_turn_about_the_body_open():
    frames = {
        f.part: f for f in decode(votes_for([[0, 0, 1]], visible=(1.0, 0.2, 1.0)), CATEGORY, DecodeConfig())
    }
    assert not frames['body'].orientation_complete
    assert not frames['opening'].orientation_complete
    assert frames['handle'].score < 0.25
    np.testing.assert_allclose(frames['handle'].second_axis, [0, 0, 1], atol=1e-6)


def test_a_seen_handle_completes_the_body():
    body = decode(votes_for([[0, 0, 1]]), CATEGORY, DecodeConfig())[0]
    np.testing.assert_allclose(body.T_camera_part()[:3, :3], np.eye(3), atol=1e-6)


def test_scattered_votes_are_no_object():
    votes = votes_for([[0, 0, 1]], count=30, noise_m=0.5)
    assert all(frame.score < 0.5 for frame in decode(votes, CATEGORY, DecodeConfig()))


def test_a_small_object_beside_large_ones_is_found():
    far = votes_for([[0.3, 0, 1.3]], count=10)
    near = votes_for([[0, 0, 0.5], [-0.1, 0, 0.5], [0.1, 0, 0.5]], count=2000)
    fields = (np.concatenate([getattr(near, f), getattr(far, f)]) for f in Votes.__dataclass_fields__)
    frames = decode(Votes(*fields), CATEGORY, DecodeConfig())
    assert min(np.linalg.norm(f.origin_m - [0.3, 0, 1.3]) for f in frames) < 0.002
    assert len({f.instance for f in frames}) == 4


def test_voxels_keep_the_weight_and_bound_the_work():
    rng = np.random.default_rng(0)
    points, weight = rng.normal(0, 0.02, (500, 3)), rng.uniform(0.1, 1, 500)
    means, totals = heaviest_voxels(points, weight, 0.01)
    assert len(means) < 500
    assert totals.sum() == pytest.approx(weight.sum())
    np.testing.assert_allclose(totals @ means, weight @ points)
    scattered = rng.uniform(-1, 1, (20_000, 3))
    assert len(heaviest_voxels(scattered, np.ones(20_000), 0.01)[0]) == VOXELS


def test_nothing_gives_nothing():
    assert decode(votes_for(np.zeros((0, 3))), CATEGORY, DecodeConfig()) == []


def test_the_score_threshold_and_the_limit_hold():
    votes = votes_for([[0, 0, 1], [0.1, 0, 1], [0.2, 0, 1]])
    assert {f.instance for f in decode(votes, CATEGORY, DecodeConfig(max_instances=2))} == {0, 1}
    assert decode(votes, CATEGORY, DecodeConfig(score_threshold=1.0)) == []


def test_weighted_median():
    points = np.array([[0.0, 5, 1], [1, 4, 1], [10, 3, 1]])
    np.testing.assert_allclose(weighted_median(points, np.array([1.0, 1, 1])), [1, 4, 1])
    np.testing.assert_allclose(weighted_median(points, np.array([1.0, 1, 5])), [10, 3, 1])


@pytest.mark.parametrize(
    ('name', 'value'), [('score_threshold', 1.5), ('bandwidth_m', 0.0), ('max_instances', 0)]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError, match=name):
        DecodeConfig(**{name: value})
