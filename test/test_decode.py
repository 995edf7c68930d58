import numpy as np
import pytest

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.decode import VOXELS, DecodeConfig, decode, heaviest_voxels
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import angle_deg
from dense_descriptor_ros.votes import Votes

CATEGORY = load_category('mug')
AXES = np.array([[0, 0, 1.0], [1, 0, 0], [0, 0, 1]])
PARTS = np.array([[0, 0, 0], [0.06, 0, 0], [0, 0, 0.05]])


def votes_for(centres, count=80, noise_m=0.002, seen=True, seed=0):
    """Noisy votes of `count` cells for each object centre, a tenth of them on the handle if it is seen.

    The cells' points are on the wall of a cylinder about the object's axis.
    """
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.asarray(centres, float), count, 0)
    shape = (len(centres), 3)
    angle, height_m = rng.uniform(0, np.pi, len(centres)), rng.uniform(-0.04, 0.04, len(centres))
    normal = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(centres))], 1)
    on_part = np.ones(shape)
    on_part[:, 1] = (np.arange(len(centres)) % 10 == 0) * seen
    return Votes(
        point_m=centres + 0.04 * normal + height_m[:, None] * [0, 0, 1],
        normal=normal,
        weight=np.full(len(centres), 0.95),
        keypoint_m=centres[:, None] + PARTS + rng.normal(0, noise_m, (*shape, 3)),
        spread_m=np.full(shape, 0.004),
        axis=np.broadcast_to(AXES, (*shape, 3)).copy(),
        on_part=on_part,
        cell=np.stack([np.arange(len(centres)), np.zeros(len(centres), int)], 1),
    )


def test_two_objects_give_two_instances_with_their_parts():
    frames = decode(votes_for([[0, 0, 1], [0.1, 0, 1]]), CATEGORY, DecodeConfig())
    assert [(f.instance, f.part) for f in frames] == [(i, p) for i in (0, 1) for p in CATEGORY.part_names]
    bodies = sorted((f.origin_m for f in frames if f.part == 'body'), key=lambda o: o[0])
    np.testing.assert_allclose(bodies, [[0, 0, 1], [0.1, 0, 1]], atol=1e-3)
    for frame in frames:
        np.testing.assert_allclose(frame.axis, AXES[CATEGORY.part_names.index(frame.part)], atol=0.02)
        assert frame.score > 0.7


def test_votes_across_a_depth_edge_do_not_move_the_keypoint():
    votes = votes_for([[0, 0, 1]])
    votes.keypoint_m[:25, 1:] += [0.0, 0.0, 0.3]  # of its 80 votes, three of the eight on the handle
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    np.testing.assert_allclose(handle.origin_m, [0.06, 0, 1], atol=2e-3)


def test_uncertain_votes_count_less():
    votes = votes_for([[0, 0, 1]])
    votes.keypoint_m[::20, 1] += [0.02, 0, 0]  # every other cell of the handle
    votes.spread_m[::20, 1] = 0.1
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    assert abs(handle.origin_m[0] - 0.06) < 0.003


def test_a_hidden_handle_leaves_the_turn_about_the_body_open():
    frames = {f.part: f for f in decode(votes_for([[0, 0, 1]], seen=False), CATEGORY, DecodeConfig())}
    assert not frames['body'].orientation_complete
    assert not frames['opening'].orientation_complete
    assert 'handle' not in frames


def test_a_seen_handle_completes_the_body():
    body = decode(votes_for([[0, 0, 1]]), CATEGORY, DecodeConfig())[0]
    np.testing.assert_allclose(body.T_camera_part()[:3, :3], np.eye(3), atol=0.02)


def test_cells_on_the_handle_outvote_the_rest_of_the_mug():
    votes = votes_for([[0, 0, 1]])
    off = votes.on_part[:, 1] == 0
    votes.keypoint_m[off, 1] += [0.01, 0.02, 0]
    votes.axis[off, 1] = [0, 1, 0]
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    np.testing.assert_allclose(handle.origin_m, [0.06, 0, 1], atol=0.007)
    assert angle_deg(handle.axis, AXES[1]) < 10


def test_the_surface_corrects_the_votes_for_the_axis():
    votes = votes_for([[0, 0, 1]], count=300)
    votes.axis[:, ::2] = [np.sin(0.2), 0, np.cos(0.2)]
    frames = {f.part: f for f in decode(votes, CATEGORY, DecodeConfig())}
    assert angle_deg(frames['body'].axis, AXES[0]) < 1
    np.testing.assert_allclose(frames['body'].axis, frames['opening'].axis)
    # Both keypoints are on one line along it, and the handle's axis is normal to it.
    between = frames['opening'].origin_m - frames['body'].origin_m
    assert angle_deg(between, frames['body'].axis) < 1e-3
    assert frames['handle'].axis @ frames['body'].axis == pytest.approx(0, abs=1e-9)


def test_the_opening_is_not_below_surface_that_is_seen():
    votes = votes_for([[0, 0, 1]], count=300)
    votes.keypoint_m[:, 2] = [0, 0, 1.01]  # in the middle, torn between the two ends
    opening = decode(votes, CATEGORY, DecodeConfig())[2]
    np.testing.assert_allclose(opening.origin_m, [0, 0, 1.04], atol=2e-3)  # the wall ends there
    above = decode(votes_for([[0, 0, 1]], count=300), CATEGORY, DecodeConfig())[2]
    np.testing.assert_allclose(above.origin_m, [0, 0, 1.05], atol=2e-3)  # the rim may be hidden


def test_the_handle_points_from_the_axis_to_its_keypoint():
    votes = votes_for([[0, 0, 1]], count=300)
    votes.axis[:, 1] = [np.cos(0.4), np.sin(0.4), 0]
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    assert angle_deg(handle.axis, AXES[1]) < 2
    votes.keypoint_m[:, 1] = votes.keypoint_m[:, 0] + [0, 0, 0.01]  # above the centre: no direction
    handle = decode(votes, CATEGORY, DecodeConfig())[1]
    assert angle_deg(handle.axis, [np.cos(0.4), np.sin(0.4), 0]) < 2


def test_the_fewer_cells_show_a_part_the_less_sure_it_is():
    votes = votes_for([[0, 0, 1]])
    many = decode(votes, CATEGORY, DecodeConfig())[1].score
    votes.on_part[10:, 1] = 0
    assert decode(votes, CATEGORY, DecodeConfig())[1].score < 0.7 * many


def test_a_mug_whose_handle_hides_may_be_a_cup():
    shown, hidden = (
        decode(votes_for([[0, 0, 1]], seen=seen), CATEGORY, DecodeConfig())[0].score for seen in (1, 0)
    )
    assert hidden < 0.5 < 0.8 < shown


def test_scattered_votes_are_no_object():
    votes = votes_for([[0, 0, 1]], count=3000, noise_m=0.15)
    votes.axis[:] = np.random.default_rng(1).standard_normal(votes.axis.shape)
    votes.axis[:] /= np.linalg.norm(votes.axis, axis=-1, keepdims=True)
    scores = [frame.score for frame in decode(votes, CATEGORY, DecodeConfig()) if frame.part == 'body']
    assert scores
    assert max(scores) < 0.5


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


@pytest.mark.parametrize(
    ('name', 'value'), [('score_threshold', 1.5), ('bandwidth_m', 0.0), ('max_instances', 0)]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError, match=name):
        DecodeConfig(**{name: value})
