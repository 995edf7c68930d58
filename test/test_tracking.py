"""Identities that stay with objects."""

from dataclasses import replace

import numpy as np
import pytest
from tracked_mugs import OFFSETS, STILL, X, Y, Z, body, identities, moving_camera, mug, noisy, rotation, seen

from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.geometry import inverse
from dense_descriptor_ros.tracking import COAST_S, VELOCITY_S, Tracker, TrackingConfig


def test_the_first_image_is_only_numbered():
    frames = [replace(frame, instance=5 * frame.instance + 3) for i in (0, 1) for frame in mug(i, i * X)]
    found = Tracker().update(frames, 7.0, STILL)
    assert identities(found) == [0, 0, 0, 1, 1, 1]
    for frame, result in zip(frames, found, strict=True):
        assert (result.part, result.score, result.age_s) == (frame.part, frame.score, 0)
        np.testing.assert_array_equal(result.T_camera_part(), frame.T_camera_part())


def test_nothing_in_nothing_out():
    tracker = Tracker()
    assert tracker.update([], 0.0, STILL) == []
    assert seen(tracker, 0.1, X) == [0]
    assert tracker.update([], 0.2, STILL) == []
    assert seen(tracker, 0.3, X) == [0]


def test_the_order_of_the_input_does_not_matter():
    tracker = Tracker()
    assert seen(tracker, 0.0, 0 * X, 0.2 * X, 0.4 * X) == [0, 1, 2]
    assert seen(tracker, 0.1, 0.4 * X, 0 * X, 0.2 * X) == [2, 0, 1]
    frames = [*mug(0, 0.4 * X), *mug(1, 0 * X, ('opening', 'body'))]
    found = tracker.update(frames, 0.2, STILL)
    assert [(f.instance, f.part) for f in found] == [
        (0, 'opening'),
        (0, 'body'),
        (2, 'body'),
        (2, 'handle'),
        (2, 'opening'),
    ]


def test_age_counts_from_the_first_sight_of_each_object():
    tracker = Tracker()
    tracker.update(body(0, 0 * X), 10.0, STILL)
    tracker.update([*body(0, X), *body(1, 0 * X)], 10.5, STILL)
    found = tracker.update([*body(0, 0 * X), *body(1, X)], 11.25, STILL)
    assert [frame.age_s for frame in found] == [1.25, 0.75]


@pytest.mark.parametrize('rate_hz', [5, 10, 30])
@pytest.mark.parametrize('seed', range(5))
def test_objects_that_cross_keep_their_identities(rate_hz, seed):
    """Two at 0.2 m/s pass through each other with 3 mm of noise and in any order."""
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    for k in range(2 * rate_hz + 1):
        along = 0.2 * (k / rate_hz - 1)
        frames = [*mug(0, along * X + Z), *mug(1, 0.01 * Y - along * X + Z)]
        frames = [replace(noisy(rng, f, 0.003, 0), instance=f.instance ^ (k % 2)) for f in frames]
        found = tracker.update(sorted(frames, key=lambda f: f.instance), k / rate_hz, STILL)
    assert {f.instance: np.sign(f.origin_m[0]) for f in found if f.part == 'body'} == {0: 1, 1: -1}


def test_assignment_is_global():
    """The nearest pair is the wrong one: two objects move by 5 cm, one to 1 cm from where the other was."""
    tracker = Tracker()
    assert seen(tracker, 0.0, 0 * X, 0.06 * X) == [0, 1]
    assert seen(tracker, 0.2, 0.05 * X, 0.11 * X) == [0, 1]


def test_a_vanished_object_does_not_pull_at_the_others():
    """One vanishes, one stays, one appears: not all three moved on by a place."""
    tracker = Tracker()
    assert seen(tracker, 0.0, 0 * X, 0.06 * X) == [0, 1]
    assert seen(tracker, 0.1, 0.06 * X, 0.12 * X) == [1, 2]


def test_the_gate_ends_an_identity():
    tracker = Tracker(TrackingConfig(gate_m=0.05))
    assert seen(tracker, 0.0, 0 * X) == [0]
    assert seen(tracker, 0.1, 0.0499 * X) == [0]
    assert seen(tracker, 0.2, 0.15 * X) == [1]


def test_categories_do_not_mix():
    tracker = Tracker()
    mugs = body(0, X)
    bowls = [replace(frame, category='bowl') for frame in mugs]
    assert identities(tracker.update(mugs, 0.0, STILL)) == [0]
    assert identities(tracker.update(bowls, 0.1, STILL)) == [1]
    found = tracker.update([*bowls, *mugs], 0.2, STILL)
    assert [(frame.instance, frame.category) for frame in found] == [(0, 'mug'), (1, 'bowl')]


@pytest.mark.parametrize('rate_hz', [5, 30])
def test_a_still_object_stands_still_for_a_moving_camera(rate_hz):
    tracker = Tracker()
    in_fixed = mug(0, np.array([0.4, 0.1, 1.2]))
    for k in range(2 * rate_hz):
        T_fixed_camera = moving_camera(k / rate_hz)
        frames = [frame.transformed(inverse(T_fixed_camera)) for frame in in_fixed]
        found = tracker.update(frames, k / rate_hz, T_fixed_camera)
        assert set(identities(found)) == {0}
        for frame, result in zip(frames, found, strict=True):
            np.testing.assert_allclose(result.T_camera_part(), frame.T_camera_part(), atol=1e-12)
    np.testing.assert_allclose(tracker._tracks[0].velocity, 0, atol=1e-12)


def test_without_its_pose_a_moving_camera_loses_the_object():
    tracker = Tracker()
    for k, expected in enumerate([0, 1, 2]):
        frame = body(0, [0.4, 0.1, 1.2])[0].transformed(inverse(moving_camera(k / 5)))
        assert identities(tracker.update([frame], k / 5, STILL)) == [expected]


@pytest.mark.parametrize('rate_hz', [5, 30])
def test_velocity_follows_starts_and_stops_as_a_low_pass_does(rate_hz):
    tracker, speed, place = Tracker(), 0.2, 0.0
    for k in range(rate_hz + 1):
        place = speed * k / rate_hz
        seen(tracker, k / rate_hz, place * X)
    expected = speed * (1 - np.exp(-1 / VELOCITY_S))
    np.testing.assert_allclose(tracker._tracks[0].velocity, expected * X, rtol=1e-9, atol=1e-12)
    for k in range(rate_hz + 1, 2 * rate_hz + 1):
        assert seen(tracker, k / rate_hz, place * X) == [0]
    left = expected * np.exp(-1 / VELOCITY_S)
    np.testing.assert_allclose(tracker._tracks[0].velocity, left * X, rtol=1e-9, atol=1e-12)


def test_noise_does_not_become_velocity():
    """Its low pass makes (a / dt)^2 (1 + a / (2 - a)) of the variance, with a = 1 - exp(-dt / tau)."""
    rng, tracker, dt, noise_m = np.random.default_rng(0), Tracker(), 1 / 30, 0.005
    velocities = []
    for k in range(1500):
        tracker.update(body(0, Z + rng.normal(0, noise_m, 3)), k * dt, STILL)
        velocities.append(tracker._tracks[0].velocity)
    a = 1 - np.exp(-dt / VELOCITY_S)
    expected = noise_m * a / dt * np.sqrt(1 + a / (2 - a))
    assert expected < 0.03
    assert np.std(velocities[100:]) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize('goes_on', [True, False])
def test_a_hidden_object_is_found_where_it_went_on_to_and_where_it_stopped(goes_on):
    tracker, speed = Tracker(), 0.3
    for k in range(21):
        seen(tracker, k / 20, speed * k / 20 * X)
    for k in range(21, 29):
        tracker.update([], k / 20, STILL)
    place = speed * (1.45 if goes_on else 1.0)
    assert speed * 0.45 > TrackingConfig().gate_m  # nothing but the prediction reaches that far
    assert seen(tracker, 1.45, place * X) == [0]


def test_a_hidden_object_does_not_run_away():
    tracker, speed = Tracker(TrackingConfig(forget_after_s=60)), 0.2
    for k in range(21):
        seen(tracker, k / 20, speed * k / 20 * X)
    beyond = 1.001 * (speed * COAST_S + TrackingConfig().gate_m)
    assert seen(tracker, 50.0, (speed + beyond) * X, speed * X) == [1, 0]


def test_a_lost_object_is_remembered_for_a_while():
    config = TrackingConfig(forget_after_s=0.5)
    tracker = Tracker(config)
    assert seen(tracker, 0.0, X, 2 * X) == [0, 1]
    for k in range(1, 10):
        assert seen(tracker, k / 20, 2 * X) == [1]
    assert seen(tracker, 0.5, X, 2 * X) == [0, 1]
    for k in range(11, 22):
        assert seen(tracker, k / 20, 2 * X) == [1]
    assert seen(tracker, 1.1, X, 2 * X) == [2, 1]


def test_a_gap_starts_anew():
    tracker = Tracker(TrackingConfig(forget_after_s=0.5))
    assert seen(tracker, 0.0, X) == [0]
    assert seen(tracker, 0.5, X) == [0]
    assert seen(tracker, 1.01, X) == [1]
    assert tracker.update(body(0, X), 1.02, STILL)[0].age_s == pytest.approx(0.01)


def test_stamps_that_go_backwards_start_anew():
    tracker = Tracker(TrackingConfig(smoothing_s=10))
    assert seen(tracker, 100.0, X) == [0]
    found = tracker.update(body(0, X + 0.004 * Y), 3.0, STILL)
    assert [(f.instance, f.age_s) for f in found] == [(1, 0)]
    np.testing.assert_array_equal(found[0].origin_m, X + 0.004 * Y)
    assert seen(tracker, 3.1, X + 0.004 * Y) == [1]


def test_reset_forgets_objects_but_not_which_identities_are_taken():
    tracker = Tracker()
    assert seen(tracker, 0.0, 0 * X, X) == [0, 1]
    tracker.reset()
    assert seen(tracker, 0.1, 0 * X, X) == [2, 3]
    tracker.reset()
    assert seen(tracker, 0.05, 0 * X) == [4]


@pytest.mark.parametrize('smoothing_s', [0.0, 0.2])
def test_a_repeated_stamp_is_no_division_by_zero(smoothing_s):
    tracker = Tracker(TrackingConfig(smoothing_s=smoothing_s))
    for k in range(40):
        found = tracker.update(body(0, (0.2 * (k // 2) / 10 + 0.002 * (k % 2)) * X), (k // 2) / 10, STILL)
        assert identities(found) == [0] and np.isfinite(found[0].origin_m).all()
    np.testing.assert_allclose(tracker._tracks[0].velocity, 0.2 * X, atol=0.021)


@pytest.mark.parametrize('first', ['body', 'handle', 'opening'])
def test_parts_that_come_and_go_do_not_change_the_identity(first):
    """Not even from one part to another that was not seen before, which is no movement either."""
    tracker = Tracker()
    others = [part for part in OFFSETS if part != first]
    sequence = [(first,), (others[0],), (others[1],), tuple(OFFSETS), (others[0],), (first,), (others[1],)]
    for k, parts in enumerate(3 * sequence):
        found = tracker.update(mug(0, 0.002 * k * Y, parts), k / 10, STILL)
        assert set(identities(found)) == {0}
        assert np.linalg.norm(tracker._tracks[0].velocity - 0.02 * Y) < 0.021


def test_unseen_parts_are_carried_along():
    """Its body hidden, an object moves by 0.3 m; its body alone is then found there."""
    tracker = Tracker()
    tracker.update(mug(0, 0 * X), 0.0, STILL)
    for k in range(1, 31):
        tracker.update(mug(0, 0.01 * k * X, ('handle',)), k / 30, STILL)
    assert seen(tracker, 1.1, 0.3 * X, parts=('body',)) == [0]


def test_a_part_that_was_seen_counts_more_than_one_that_was_carried_along():
    """A mug whose handle alone was seen turned about it, so its body is 13 cm from where it would be."""
    tracker = Tracker(TrackingConfig(gate_m=0.05))
    tracker.update(mug(0, 0 * X), 0.0, STILL)
    tracker.update(mug(0, 0 * X, ('handle',)), 0.1, STILL)
    turned = [*body(0, 0.13 * X), *mug(0, 0 * X, ('handle',))]
    assert identities(tracker.update(turned, 0.2, STILL)) == [0, 0]


@pytest.mark.parametrize('steady', ['body', 'opening'])
def test_the_steadiest_part_in_common_decides(steady):
    """The handle of each mug lies where the other one's was, as if both had turned by half a turn."""
    tracker = Tracker()
    parts, half_turn = ('handle', steady), rotation(Z, np.pi)
    left, right = 0 * X, 2 * OFFSETS['handle'] - 0.01 * X
    tracker.update([*mug(0, left, parts), *mug(1, right, parts, half_turn)], 0.0, STILL)
    found = tracker.update([*mug(0, left, parts, half_turn), *mug(1, right, parts)], 0.1, STILL)
    places = {frame.instance: frame.origin_m - OFFSETS[steady] for frame in found if frame.part == steady}
    np.testing.assert_allclose([places[0], places[1]], [left, right], atol=1e-12)


def test_a_part_in_common_goes_before_none():
    """A mug moves by 3 cm, past the handle of one whose body was not seen, which touches its wall."""
    tracker = Tracker()
    handle_alone = mug(1, 0.03 * X + 0.04 * Y - OFFSETS['handle'], ('handle',))
    tracker.update([*body(0, 0 * X), *handle_alone], 0.0, STILL)
    assert seen(tracker, 0.1, 0.03 * X, parts=('body',)) == [0]


def without_scale(frames):
    return [replace(frame, scale_known=False) for frame in frames]


def test_without_scale_objects_are_numbered_anew_in_each_image():
    tracker = Tracker()
    assert seen(tracker, 0.0, X) == [0]
    frames = without_scale([*mug(0, X), *mug(1, Y)])
    for first in (1, 3):
        found = tracker.update(frames, 0.1 * first, STILL)
        assert identities(found) == [first] * 3 + [first + 1] * 3
        for frame, result in zip(frames, found, strict=True):
            assert result.age_s == 0 and not result.scale_known
            np.testing.assert_array_equal(result.origin_m, frame.origin_m)
    assert seen(tracker, 0.4, X, Y) == [0, 5]


def test_settings_can_change_between_images():
    tracker = Tracker()
    tracker.update(body(0, 0 * X), 0.0, STILL)
    tracker.config = TrackingConfig(smoothing_s=1.0)
    found = tracker.update(body(0, 0.008 * X), np.log(2), STILL)
    np.testing.assert_allclose(found[0].origin_m, 0.004 * X, atol=1e-12)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('gate_m', 0.0),
        ('gate_m', np.inf),
        ('forget_after_s', -1.0),
        ('forget_after_s', np.nan),
        ('smoothing_s', -0.1),
        ('smoothing_s', np.inf),
        ('moved_m', 0.0),
        ('moved_deg', 0.0),
        ('moved_deg', 46.0),
        ('moved_deg', np.nan),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError, match=f'{name} is {value}'):
        TrackingConfig(**{name: value})


@pytest.mark.parametrize(
    ('changes', 'stamp_s', 'T_fixed_camera', 'named'),
    [
        ({}, np.nan, STILL, 'stamp_s is nan'),
        ({}, 0.1, np.eye(3), 'T_fixed_camera is'),
        ({}, 0.1, np.full((4, 4), np.nan), 'T_fixed_camera is'),
        ({'origin_m': np.array([0, np.inf, 1])}, 0.1, STILL, 'body of a mug'),
        ({'axis': np.zeros(3)}, 0.1, STILL, 'span no frame'),
        ({'axis': X}, 0.1, STILL, 'span no frame'),
    ],
    ids=['stamp', 'pose shape', 'pose', 'keypoint', 'axis', 'parallel axes'],
)
def test_bad_input_is_named_and_leaves_no_trace(changes, stamp_s, T_fixed_camera, named):
    tracker = Tracker()
    assert seen(tracker, 0.0, X, 2 * X) == [0, 1]
    bad = [*body(0, X), replace(body(1, 2 * X)[0], **changes)]
    with pytest.raises(InputError, match=named):
        tracker.update(bad, stamp_s, T_fixed_camera)
    assert seen(tracker, 0.05, 2 * X, 3 * X, X) == [1, 2, 0]
